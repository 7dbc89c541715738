/* Shows the conversation between the user and the application. */

import { announce, clock, element, icon } from "./elements.js";

const bubbles = document.getElementById("bubbles");
const scroll = document.getElementById("conversation-scroll");
const empty = document.getElementById("conversation-empty");

const LONGEST = 300; // entries
const OWN = document.getElementById("handset").options[0].value; // the account's own number, the default sender

/* By type of entry: its element, and its text for screen readers unless the user caused it. */
const SHOWN = {
  spoken: ({ text }) => bubble("application voice", "voice", "The application says", text),
  recorded: ({ text }) => bubble("person voice", "record", "Your recording", text),
  key: ({ digits }) => bubble("person keys", "keys", "You press", ...caps(digits)),
  sms_in: ({ to, msg }) => bubble("person sms", "sms", `SMS to ${to}`, msg),
  sms_out: ({ from, to, msg }, handset) => bubble("application sms", "sms", headOfSms(from, to, handset), msg),
  fax_out: ({ to }) => progress(`The application faxes ${to}`),
  call: ({ text }) => progress(text),
};
const READ_OUT = {
  spoken: ({ text }) => `The application says: ${text}`,
  sms_out: ({ from, to, msg }, handset) => `${headOfSms(from, to, handset)}: ${msg}`,
  fax_out: ({ to }) => `The application faxes ${to}`,
  call: ({ text }) => text,
};

/** Append an entry or replace its earlier version. Ignore unknown types. */
export function showEntry(entry, handset, { aloud }) {
  if (!(entry.type in SHOWN)) return;
  place(entry, SHOWN[entry.type](entry, handset));
  if (aloud && entry.type in READ_OUT) announce(READ_OUT[entry.type](entry, handset));
}

function place(entry, item) {
  const before = bubbles.querySelector(`[data-id="${entry.id}"]`);
  item.dataset.id = entry.id;
  item.querySelector("header, span").append(clock(entry.at));
  if (before) {
    before.replaceWith(item);
    return;
  }
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  if (!joinKeys(item)) bubbles.append(item);
  if (bubbles.childElementCount > LONGEST) bubbles.firstElementChild.remove();
  empty.hidden = true;
  if (atEnd) scroll.scrollTop = scroll.scrollHeight;
}

/** Add consecutive keys to the same bubble. */
function joinKeys(item) {
  const last = bubbles.lastElementChild;
  if (!item.classList.contains("keys") || !last?.classList.contains("keys")) return false;
  last.querySelector(".words").append(...item.querySelector(".words").childNodes);
  last.dataset.id = item.dataset.id;
  return true;
}

function bubble(className, picture, head, ...words) {
  const header = element("header", "", icon(picture), element("span", "", head));
  return element("li", `bubble ${className}`, header, element("p", "words", ...words));
}

function progress(text) {
  return element("li", "progress", element("span", "", text));
}

function caps(digits) {
  return [...digits].map((digit) => element("kbd", "", digit));
}

function headOfSms(from, to, handset) {
  const sender = from && from !== OWN ? `SMS from ${from}` : "SMS from the application";
  return to === handset ? sender : `${sender} to ${to}`;
}
