/* Sends requests to the sandbox: URLs, CSRF token and error messages. */

const TIMEOUT = 10_000; // milliseconds

/** The server refused a request; the message is for the user. */
export class Refusal extends Error {}

/**
 * Fetch the state and all entries newer than a revision; with fields, POST an action first.
 * Throws a Refusal if the server refuses, and any other error if it does not answer.
 */
export async function ask(action, after, fields) {
  const person = encodeURIComponent(document.getElementById("handset").value);
  const url = `${document.body.dataset[`${action}Url`]}?as=${person}&after=${after}`;
  const answer = await fetch(url, { ...(fields ? posting(fields) : {}), signal: AbortSignal.timeout(TIMEOUT) });
  if (answer.ok) return answer.json();
  throw await refusal(answer);
}

function posting(fields) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  return { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(fields) };
}

const REASONS = {
  403: "This page has expired; reload it.",
  404: "The sandbox is disabled: HOIIO['API_URL'] must be a loopback address.",
};

async function refusal(answer) {
  if (answer.status === 400) return new Refusal((await answer.json()).error);
  return new Refusal(REASONS[answer.status] ?? `The server answered ${answer.status}; see its log.`);
}
