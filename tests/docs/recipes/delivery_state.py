from .models import Order


def test_only_the_order_of_the_sms_is_linked(hoiio):
    first, second = (Order.objects.create(number="+6591234567") for _ in range(2))
    second.notify("It is ready.")
    hoiio.sent[-1].deliver()
    hoiio.post("sms_status")
    assert Order.objects.get(sms__sms_status="delivered") == second
    assert Order.objects.get(pk=second.pk).sms.get_sms_status_display() == "delivered"
    hoiio.sent[-1].row().delete()
    assert Order.objects.filter(sms=None).count() == 2
    assert first.pk != second.pk
