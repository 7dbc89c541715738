"""Charts: they are valid XML, drawn to scale, and have a text for everything that they show."""

from __future__ import annotations

from decimal import Decimal
from xml.etree import ElementTree

import pytest

from django_hoiio.admin.charts import NO_GAP_ABOVE, Bar, Chart


def bar(whole: str, succeeded: str = "0", text: str = "") -> Bar:
    return Bar(value=Decimal(whole), succeeded=Decimal(succeeded), text=text or f"{whole}, {succeeded} delivered")


def picture(*bars: Bar, title: str = "SMS by day") -> ElementTree.Element:
    # The XML comes from this test.
    return ElementTree.fromstring(Chart(name="sms", title=title, description="Many.", bars=bars).svg)  # noqa: S314


def paths(*bars: Bar) -> dict[str, str]:
    return {path.attrib["class"]: path.attrib["d"] for path in picture(*bars).iter("path")}


def test_chart_has_a_text_for_everything_that_it_shows() -> None:
    drawn = picture(bar("12", "11"), bar("0"), bar("7", "7"))

    assert drawn.attrib == {
        "class": "hoiio-picture",
        "role": "img",
        "aria-labelledby": "sms-title",
        "aria-describedby": "sms-desc",
        "viewBox": "0 0 3 100",
        "preserveAspectRatio": "none",
    }
    assert [(each.attrib["id"], each.text) for each in drawn if "id" in each.attrib] == [
        ("sms-title", "SMS by day"),
        ("sms-desc", "Many."),
    ]
    assert [(rect.attrib["x"], rect.findtext("title")) for rect in drawn.iter("rect")] == [
        ("0", "12, 11 delivered"),
        ("1", "0, 0 delivered"),
        ("2", "7, 7 delivered"),
    ]


def test_bars_are_drawn_to_scale() -> None:
    assert paths(bar("200", "50"), bar("0"), bar("100", "100")) == {
        "hoiio-succeeded": "M0 100.0v-25.0h0.8v25.0zM2 100.0v-50.0h0.8v50.0z",
        "hoiio-rest": "M0 75.0v-75.0h0.8v75.0z",
    }


def test_small_value_next_to_a_large_one_is_visible() -> None:
    assert paths(bar("1000000", "999999"), bar("1", "1")) == {
        "hoiio-succeeded": "M0 100.0v-98.0h0.8v98.0zM1 100.0v-2.0h0.8v2.0z",
        "hoiio-rest": "M0 2.0v-2.0h0.8v2.0z",
    }


def test_many_days_leave_no_gap() -> None:
    drawn = paths(*[bar("1", "1")] * (NO_GAP_ABOVE + 1))
    assert drawn["hoiio-succeeded"].startswith("M0 100.0v-100.0h1v100.0zM1 ")


@pytest.mark.parametrize("amount", ["0", "-5"])
def test_no_bar_is_drawn_for_zero_or_less(amount: str) -> None:
    assert paths(bar(amount, amount)) == {"hoiio-succeeded": "", "hoiio-rest": ""}


def test_texts_are_escaped() -> None:
    drawn = picture(bar("1", text='</title><script>"&'), title="<b>")

    assert drawn.findtext("title") == "<b>"
    assert [rect.findtext("title") for rect in drawn.iter("rect")] == ['</title><script>"&']


def test_chart_has_no_inline_style_or_script() -> None:
    drawn = picture(bar("12", "11"))

    assert {element.tag for element in drawn.iter()} == {"svg", "title", "desc", "path", "rect"}
    assert {
        name for element in drawn.iter() for name in element.attrib if name.startswith(("on", "style", "href"))
    } == set()
