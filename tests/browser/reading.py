"""Read the contents of the page as values to compare."""

from __future__ import annotations

from playwright.sync_api import Page, expect

NUMBER = "+6531234567"


def words(page: Page) -> list[str]:
    """Return the text of the conversation, without the times."""
    return page.locator("#bubbles > li").evaluate_all(
        """(items) => items.map((item) => {
            const copy = item.cloneNode(true);
            copy.querySelectorAll("time").forEach((time) => time.remove());
            return [...copy.children].map((part) => part.textContent).join(": ");
        })"""
    )


def posts(page: Page) -> list[tuple[str, ...]]:
    """Return the notifications, oldest first: kind, result, and injected faults."""
    found = page.locator("#posts > li").evaluate_all(
        """(items) => items.map((item) => [".kind", ".outcome", ".badge"].flatMap(
            (part) => [...item.querySelectorAll(part)].map((each) => each.textContent)))"""
    )
    return [tuple(post) for post in reversed(found)]


def announced(page: Page) -> list[str]:
    return page.locator("#announcements p").all_text_contents()


def state(page: Page, expected: str) -> None:
    expect(page.locator("#state")).to_have_text(expected)


def answered(page: Page, number: int) -> None:
    """Wait until `number` notifications are answered."""
    expect(page.locator("#posts > li[data-state=answered]")).to_have_count(number)
