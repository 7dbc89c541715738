from .models import Extension


def test_extension_that_is_busy(hoiio):
    Extension.objects.create(digits="1234", number="+6561234567")
    caller = hoiio.call()
    caller.press("1234")
    caller.far_end("busy")
    assert caller.heard.startswith("Nobody answers.")
    caller.press("1234")
    caller.far_end("answered")
    caller.hang_up()
    assert len([each for each in hoiio.sent if each.path == "ivr/end/transfer"]) == 2


def test_caller_who_is_silent_is_hung_up(hoiio):
    caller = hoiio.call()
    for _ in range(3):
        caller.stay_silent()
    assert (caller.heard.splitlines()[-1], caller.ended) == ("Goodbye.", True)
