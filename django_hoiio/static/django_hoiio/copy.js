// Copy buttons. Without this script they stay hidden, and users select the text themselves.
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
        // Browsers allow access to the clipboard only over https and with the user's permission.
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
