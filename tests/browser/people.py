"""Users of the telephone: one with only a mouse, one with only a keyboard."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Page, expect


class Person(Protocol):
    def call(self) -> None: ...

    def press(self, key: str) -> None: ...

    def speak(self, text: str) -> None: ...

    def text(self, msg: str) -> None: ...

    def answer(self) -> None: ...

    def decline(self) -> None: ...

    def hang_up(self) -> None: ...


class Mouse:
    def __init__(self, page: Page) -> None:
        self.page = page

    def call(self) -> None:
        self.page.get_by_role("button", name="Call", exact=True).click()

    def press(self, key: str) -> None:
        self.page.locator(f"#keypad button[value='{key}']").click()

    def speak(self, text: str) -> None:
        self.page.get_by_label("Record a message").fill(text)
        self.page.get_by_role("button", name="Done").click()

    def text(self, msg: str) -> None:
        self.page.get_by_label("Text message", exact=True).fill(msg)
        self.page.get_by_role("button", name="Send the text message").click()

    def answer(self) -> None:
        self.page.get_by_role("button", name="Answer").click()

    def decline(self) -> None:
        self.page.get_by_role("button", name="Decline").click()

    def hang_up(self) -> None:
        self.page.get_by_role("button", name="Hang up").click()


class Keyboard:
    def __init__(self, page: Page) -> None:
        self.page = page

    def _tab_to(self, element: str) -> None:
        for _ in range(60):
            if self.page.evaluate("document.activeElement.id") == element:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {element}")

    def call(self) -> None:
        self.page.keyboard.press("Enter")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def speak(self, text: str) -> None:
        expect(self.page.locator("#spoken")).to_be_focused()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def text(self, msg: str) -> None:
        self._tab_to("msg")
        self.page.keyboard.type(msg)
        self.page.keyboard.press("Enter")

    def answer(self) -> None:
        self.page.keyboard.press("Enter")

    def decline(self) -> None:
        self.page.keyboard.press("Escape")

    def hang_up(self) -> None:
        self.page.keyboard.press("Escape")
