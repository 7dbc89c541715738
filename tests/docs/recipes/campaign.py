from .campaigns import resend, results, send


def test_numbers_that_got_it_get_no_other(hoiio):
    campaign = "sale", send("sale", "Sale!", ["+6591234567", "+6598765432"])
    hoiio.wait()
    assert results(*campaign) == {"delivered": 0, "failed": 0, "refused": 0, "pending": 2}
    hoiio.sent[-1].deliver()
    assert results(*campaign) == {"delivered": 2, "failed": 0, "refused": 0, "pending": 0}
    assert resend(*campaign, "Sale!") is None


def test_messages_are_found_by_the_tag_or_the_reference(hoiio):
    campaign = "sale", "AA-B-1"
    for tag in ("sale", "another"):
        hoiio.post("sms_status", tag=tag, bulk_txn_ref=None)
    refused = {"txn_ref": None, "tag": None, "status": "error_dest_not_supported"}
    for reference in ("AA-B-1", "AA-B-2"):
        hoiio.post("bulk_sms_status", bulk_txn_ref=reference, dest="+6591234567", **refused)
    assert results(*campaign) == {"delivered": 1, "failed": 0, "refused": 1, "pending": 0}
