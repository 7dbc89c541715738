from datetime import timedelta

from .call_records import cost, records


def test_running_and_older_calls_are_not_listed(hoiio):
    hoiio.call(from_="+6598765432")
    hoiio.call().hang_up()
    later = hoiio.now + timedelta(hours=1)
    hoiio.wait(hours=2)
    assert len(list(records(later - timedelta(hours=2), later))) == 1
    assert list(records(later, hoiio.now)) == list(records(later - timedelta(days=1), later - timedelta(hours=1))) == []
    assert cost(later, hoiio.now) == {}
