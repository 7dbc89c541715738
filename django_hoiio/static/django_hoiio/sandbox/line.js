/* The telephone: display, keypad, green and red key. */

import { element } from "./elements.js";

const $ = (id) => document.getElementById(id);
const telephone = $("telephone");
const number = $("number");

const IDLE = "idle";
const RINGING_HERE = "ringing here";

/* By state of the line: the text on the display and the labels of the two keys. A key without a label does nothing. */
const LINES = {
  [IDLE]: { state: "Ready", green: "Call", red: "" },
  [RINGING_HERE]: { state: "The application calls", green: "Answer", red: "Decline" },
  ringing: { state: "It rings …", green: "", red: "Hang up" },
  ongoing: { state: "On the line", green: "", red: "Hang up" },
  playing: { state: "The application speaks", green: "", red: "Hang up" },
  held: { state: "On hold", green: "", red: "Hang up" },
  gathering: { state: "Press keys", green: "", red: "Hang up" },
  recording: { state: "Recording", green: "", red: "Hang up" },
  transferring: { state: "It rings …", green: "", red: "Hang up" },
  transferred: { state: "Transferred", green: "", red: "Hang up" },
};
const ACTIONS = { Call: "call", Answer: "answer", Decline: "decline", "Hang up": "hangup" };

let line = IDLE;
let suggested = ""; // the default number
let numbersShown = "";

/** Return the action of the green or red key, or an empty text. */
export const action = (colour) => ACTIONS[LINES[line][colour]] ?? "";

/** True during a call, even if it only rings. */
export const isBusy = () => line !== IDLE;

/** The number on the display. */
export const dialled = () => number.value.trim();

/** Show the sandbox's state. */
export function show({ call, numbers }) {
  const before = line;
  line = lineOf(call);
  offer(numbers);
  $("state").textContent = LINES[line].state;
  if (call && isBusy()) number.value = call.number;
  number.readOnly = isBusy();
  markChoice();
  telephone.dataset.call = line.replace(" ", "-");
  label("green");
  label("red");
  showSlots(call);
  showSpeech(before);
}

/** Show the latest text of the call below the number. */
export function caption(text) {
  $("caption").textContent = text;
}

/** Type a key while there is no call. The first key replaces the default number. */
export function type(key) {
  const begun = number.value === suggested ? "" : number.value;
  number.value = begun === "" && /\d/.test(key) ? `+${key}` : begun + key;
  markChoice();
}

/** Animate a key of the keypad. */
export function press(key) {
  const button = [...$("keypad").children].find((each) => each.value === key);
  button?.classList.add("pressed");
}

$("handset").addEventListener("change", ({ target }) => location.replace(`?as=${encodeURIComponent(target.value)}`));
number.addEventListener("focus", () => number.select());
number.addEventListener("input", markChoice);
$("keypad").addEventListener("animationend", ({ target }) => target.classList.remove("pressed"));

function lineOf(call) {
  if (!call || call.state === "ended") return IDLE;
  if (call.state === "ringing" && call.direction === "outgoing") return RINGING_HERE;
  return call.state in LINES ? call.state : "ongoing";
}

function offer(numbers) {
  if (numbersShown === numbers.join()) return;
  numbersShown = numbers.join();
  if (number.value === suggested) number.value = numbers[0] ?? "";
  suggested = numbers[0] ?? "";
  $("numbers").replaceChildren(...numbers.map(choice));
}

function choice(offered) {
  const button = element("button", "choice", offered);
  button.type = "button";
  button.addEventListener("click", () => {
    if (!isBusy()) number.value = offered;
    markChoice();
  });
  return button;
}

function markChoice() {
  for (const button of $("numbers").children) {
    button.setAttribute("aria-pressed", String(button.textContent === dialled()));
  }
}

function label(colour) {
  const word = LINES[line][colour];
  $(colour).setAttribute("aria-disabled", String(!word));
  if (word) $(`${colour}-word`).textContent = word;
}

function showSlots(call) {
  const slots = $("slots");
  slots.hidden = line !== "gathering";
  if (slots.hidden) return;
  const pressed = [...call.digits];
  const missing = Math.max(0, Math.min(call.max_digits, 24) - pressed.length);
  slots.replaceChildren(
    ...pressed.map((digit) => element("span", "slot full", digit)),
    ...Array.from({ length: missing }, () => element("span", "slot")),
    ...(call.max_digits === 0 ? [element("span", "until", "# ends it")] : []),
  );
}

/** Move the focus to the recording and back, unless the user is elsewhere on the page. */
function showSpeech(before) {
  const begins = line === "recording" && before !== "recording";
  const ends = line !== "recording" && before === "recording";
  const focused = document.activeElement;
  if (ends && $("speech").contains(focused)) telephone.focus();
  $("speech").hidden = line !== "recording";
  if (begins && (focused === document.body || telephone.contains(focused))) $("spoken").focus();
}
