// The buttons that copy a text. Without this file they stay hidden, and the text is selected by hand.
"use strict";

const select = (text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
};

const copy = async (button) => {
    const text = document.getElementById(button.dataset.copies);
    const status = button.parentElement.querySelector("[role=status]");
    try {
        await navigator.clipboard.writeText(text.textContent);
        status.textContent = status.dataset.copied;
    } catch {
        // Browsers let a page write to the clipboard over https alone, and only where the user allows it.
        select(text);
        status.textContent = status.dataset.selected;
    }
};

document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-copies]")) {
        button.parentElement.hidden = false;
        button.addEventListener("click", () => copy(button));
    }
});
