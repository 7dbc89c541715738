/* Shows outgoing notifications, newest first, and their responses. */

import { announce, clock, element } from "./elements.js";

const posts = document.getElementById("posts");
const empty = document.getElementById("wire-empty");
const count = document.getElementById("count");
const KINDS = JSON.parse(document.getElementById("kinds").textContent);

const LONGEST = 200; // notifications
const known = new Map();

const OUTCOMES = {
  waiting: () => "sending",
  answered: ({ status }) => `answered ${status}`,
  failed: ({ status }) => (status ? `refused ${status}` : "failed"),
  dropped: () => "dropped",
};
// The first of these parameters that has a value is shown beside the kind.
const DETAILS = ["sms_status", "fax_status", "status", "digits", "dial_status", "transfer_status", "call_state"];
const PLACES = { body: "in the body", query: "in the query string", both: "in the body and the query string" };

const FAULTS = { bad_signature: "bad signature" };

/** Add a notification at the top or update it. */
export function showEntry(entry, { aloud }) {
  const post = known.get(entry.id) ?? begin(entry);
  post.dataset.state = entry.state;
  post.querySelector("summary").replaceChildren(...headOf(entry));
  post.querySelector(".inside").replaceChildren(...insideOf(entry));
  if (aloud && entry.state === "failed") announce(`The notification ${entry.kind} failed. ${entry.error}`);
}

function begin(entry) {
  const post = element("li", "post", element("details", "", element("summary"), element("div", "inside")));
  known.set(entry.id, post);
  posts.prepend(post);
  if (posts.childElementCount > LONGEST) posts.lastElementChild.remove();
  count.textContent = known.size;
  empty.hidden = true;
  return post;
}

function headOf(entry) {
  const outcome = element("span", "outcome", OUTCOMES[entry.state]?.(entry) ?? entry.state);
  const shownFaults = entry.faults.filter((fault) => fault !== entry.state);
  const faults = shownFaults.map((fault) => element("span", "badge", FAULTS[fault] ?? fault));
  return [
    element("span", "first", element("code", "kind", entry.kind), outcome),
    element("span", "second", element("span", "label", gistOf(entry)), clock(entry.at), ...faults),
    ...(entry.error ? [element("span", "error", entry.error)] : []),
  ];
}

function gistOf({ kind, params }) {
  const detail = DETAILS.map((name) => params[name]).find(Boolean);
  return [KINDS[kind] ?? kind, detail].filter(Boolean).join(", ");
}

function insideOf(entry) {
  return [
    element("p", "address", element("b", "", "POST"), " ", element("code", "", entry.path), ` ${PLACES[entry.params_in]}`),
    table("Parameters", entry.params),
    ...(Object.keys(entry.pass_on).length ? [table("Your parameters", entry.pass_on)] : []),
  ];
}

function table(caption, fields) {
  const rows = Object.entries(fields).map(([name, value]) => {
    const head = element("th", "", name);
    head.scope = "row";
    return element("tr", "", head, element("td", "", String(value)));
  });
  return element("table", "", element("caption", "", caption), element("tbody", "", ...rows));
}
