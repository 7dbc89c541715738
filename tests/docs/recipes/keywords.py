from .models import OptOut


def test_start_ends_the_stop(hoiio):
    for text in ("STOP", "stop", "start"):
        hoiio.sms(text)
    assert (OptOut.objects.count(), len(hoiio.sent)) == (0, 3)


def test_other_texts_get_no_reply(hoiio):
    for text in ("", "Please stop", "hoursopen"):
        hoiio.sms(text)
    hoiio.post("sms_received", msg="HOURS", from_="SHOP")
    assert hoiio.sent == []


def test_repeated_notification_gets_no_second_reply(hoiio):
    hoiio.faults(twice=True)
    hoiio.sms("hours")
    assert [sms.msg for sms in hoiio.sent] == ["We are open 9 to 7."]
