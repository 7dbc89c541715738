"""The admin with only a keyboard."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from .conftest import Open
from .console import PASSWORD
from .workshop import MEI

# Whether the focused element is marked, and both are within the window.
MARKED = """
(() => {
    const focused = document.activeElement;
    if (focused === document.body) return true;
    const style = getComputedStyle(focused), box = focused.getBoundingClientRect();
    // The calendar button in a date field: the browser outlines it, but scripts cannot see that.
    const isWithin = focused.matches("input[type=date]:not(:focus-visible)");
    const isOutlined = isWithin || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0);
    const isInside = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    return (isOutlined || style.boxShadow !== "none") && isInside && box.width > 0;
})()
"""
FOCUSED = "document.activeElement.outerHTML.slice(0, 120)"
IS_FOCUSED = "element => element === document.activeElement"

# Maximum number of stops between two controls.
MOST = 120


class Hand:
    """Press keys, and check the focus each time."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unmarked: list[str] = []

    def go_to(self, stop: Locator, key: str = "Tab") -> None:
        """Press Tab, or another key, until the focus is at `stop`."""
        expect(stop).to_be_visible()
        for _ in range(MOST):
            self.page.keyboard.press(key)
            if not self.page.evaluate(MARKED):
                self.unmarked.append(self.page.evaluate(FOCUSED))
            if stop.evaluate(IS_FOCUSED):
                return
        raise AssertionError(f"{key} does not lead to {stop}")

    def follow(self, name: str, key: str = "Tab") -> None:
        """Go to the link with this name, and open it."""
        self.go_to(self.page.get_by_role("link", name=name, exact=True), key)
        self.page.keyboard.press("Enter")


def test_keyboard_alone_leads_from_the_login_to_a_conversation_and_back(look: Open) -> None:
    page = look("login/?next=/admin/", who="nobody")
    hand = Hand(page)
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("chief")
    hand.go_to(page.get_by_label("Password"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    hand.follow("SMS")
    expect(page.locator("#result_list")).to_be_visible()
    hand.go_to(page.get_by_label("Search for"))
    page.keyboard.type("AA-S-9003")
    page.keyboard.press("Enter")

    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    hand.follow("AA-S-9003")
    expect(page.locator(".hoiio-sentence")).to_contain_text(f"Sent to {MEI}")
    hand.follow("Conversation")
    expect(page).to_have_title(f"Conversation with {MEI} | Django site admin")
    hand.follow("SMS AA-S-9003")
    expect(page.locator(".hoiio-sentence")).to_contain_text(f"Sent to {MEI}")

    hand.go_to(page.get_by_role("link", name="Conversation", exact=True))
    hand.go_to(page.get_by_label("Breadcrumbs").get_by_role("link", name="Hoiio"), "Shift+Tab")
    page.keyboard.press("Enter")
    hand.follow("7 days")
    expect(page.get_by_role("heading", name="The last 7 days")).to_be_visible()
    assert hand.unmarked == []
