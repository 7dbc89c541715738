/* The page: sends the user's actions to the sandbox and shows its state. */

import * as conversation from "./conversation.js";
import * as faults from "./faults.js";
import * as line from "./line.js";
import * as wire from "./wire.js";
import { Refusal, ask } from "./server.js";

const $ = (id) => document.getElementById(id);

// Polling intervals in milliseconds.
const IN_A_CALL = 400;
const QUIET = 1000;
const HIDDEN = 5000;
const LOST = 2000;

let revision = 0;
let isFollowing = false; // entries older than the page are not read out
let handset = "";
let link = "waiting";
let alarm = 0;
let queue = Promise.resolve();

/* Requests. */

function poll() {
  ask("state", revision)
    .then(take, (error) => setLink(error instanceof Refusal ? error.message : "lost"))
    .finally(() => {
      clearTimeout(alarm);
      alarm = setTimeout(poll, pause());
    });
}

function pause() {
  if (document.hidden) return HIDDEN;
  if (link !== "up") return LOST;
  return line.isBusy() ? IN_A_CALL : QUIET;
}

/** Run actions one after the other, because each depends on the state that the previous one left. */
function inTurn(deed) {
  queue = queue.then(deed);
  return queue;
}

/** Run an action at the sandbox. Resolves to true if it succeeded. */
function act(action, fields = {}) {
  return ask(action, revision, fields).then(done, notDone);
}

function done(answer) {
  notice("");
  take(answer);
  return true;
}

function notDone(error) {
  notice(error instanceof Refusal ? error.message : "The server did not respond; the action failed.");
  return false;
}

/* Display. */

/** Show a response. The revision never decreases, even after a restart, so a lower one means an outdated response. */
function take(answer) {
  setLink("up");
  if (answer.revision < revision) return;
  handset = answer.handset;
  for (const entry of answer.entries) if (entry.revision > revision) showEntry(entry, isFollowing);
  revision = answer.revision;
  isFollowing = true;
  line.show(answer);
  faults.show(answer.faults);
}

function showEntry(entry, aloud) {
  if (entry.type === "notification") wire.showEntry(entry, { aloud });
  else conversation.showEntry(entry, handset, { aloud });
  if (entry.type === "spoken" || entry.type === "call") line.caption(entry.text);
}

const LINKS = { up: "Connected", waiting: "Connecting …", lost: "The server does not answer. Trying again …" };

function setLink(now) {
  if (link === now) return;
  link = now;
  $("link").dataset.link = now in LINKS ? now : "lost";
  $("link").textContent = LINKS[now] ?? now;
}

function notice(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text;
}

/* Actions of the user. */

function useKey(colour) {
  inTurn(() => {
    const action = line.action(colour);
    if (action) return act(action, action === "call" ? { to: line.dialled() } : {});
  });
}

function press(key) {
  line.press(key);
  inTurn(() => (line.isBusy() ? act("press", { digits: key }) : line.type(key)));
}

/** Send the text of a field and clear it, unless the user has changed it meanwhile. */
function send(field, action, fieldsFor) {
  inTurn(async () => {
    const written = field.value;
    const isSent = written.trim() && (await act(action, fieldsFor(written)));
    if (isSent && field.value === written) field.value = "";
  });
}

function onSubmit(id, submitted) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    submitted();
  });
}

onSubmit("dial", () => useKey("green"));
onSubmit("text", () => send($("msg"), "text", (msg) => ({ to: line.dialled(), msg })));
onSubmit("speech", () => send($("spoken"), "speak", (text) => ({ text })));
$("red").addEventListener("click", () => useKey("red"));
$("keypad").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button) press(button.value);
});
faults.onChange((fault) => inTurn(() => act("faults", fault)));

/* Keyboard: Escape works everywhere but in a list, other keys only if no other field or button has the focus. */

const KEYS = /^[0-9*#]$/;

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.repeat) return;
  if (target.matches("select")) return;
  if (key === "Escape" && line.isBusy()) useKey("red");
  else if (KEYS.test(key) && isAtTelephone(target)) press(key);
  else if (key === "Enter" && isNowhere(target)) useKey("green");
  else return;
  event.preventDefault();
});

const isNowhere = (target) => target === document.body || target === $("telephone");

/** True if keys go to the keypad: nothing has the focus, or a part of the telephone that takes no text. */
function isAtTelephone(target) {
  if (isNowhere(target)) return true;
  const takesText = target.matches("input, textarea") && !target.readOnly;
  return $("telephone").contains(target) && !takesText;
}

document.addEventListener("visibilitychange", () => document.hidden || poll());
poll();
