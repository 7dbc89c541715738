def test_unknown_caller_is_connected_by_a_key(hoiio):
    caller = hoiio.call()
    assert caller.heard == "To be connected, press 5."
    caller.press("5")
    caller.far_end("unanswered")
    assert caller.heard == "Please leave a message."
    caller.record("It is me.")
    assert (caller.heard, caller.ended) == ("Thank you.", True)
