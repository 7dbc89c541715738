def test_message_of_a_caller_who_hangs_up_is_mailed(hoiio, mailoutbox):
    hoiio.call().hang_up()
    assert len(mailoutbox) == 1
    assert "https://" in mailoutbox[0].body
