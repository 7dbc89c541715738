/* Asks the sandbox; knows its addresses, its token, and how its errors read. */

const PATIENCE = 10_000; // milliseconds

/** The server says no; the message is for people. */
export class Refusal extends Error {}

/**
 * Ask one of the endpoints for all that is newer than a revision; with fields, do it by POST.
 * Throws a Refusal where the server says no, and any other error where it does not answer.
 */
export async function ask(action, after, fields) {
  const url = `${document.body.dataset[`${action}Url`]}?after=${after}`;
  const answer = await fetch(url, { ...(fields ? posting(fields) : {}), signal: AbortSignal.timeout(PATIENCE) });
  if (answer.ok) return answer.json();
  throw await refusal(answer);
}

function posting(fields) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  return { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(fields) };
}

const REASONS = {
  403: "This page has become too old: reload it.",
  404: "The sandbox is switched off: HOIIO['API_URL'] has to be on this machine.",
};

async function refusal(answer) {
  if (answer.status === 400) return new Refusal((await answer.json()).error);
  return new Refusal(REASONS[answer.status] ?? `The server answered ${answer.status}; its log says why.`);
}
