/* Builds what is shown. Text from outside becomes text, and never markup. */

const SVG = "http://www.w3.org/2000/svg";
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** An element; its children are elements or plain text. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** One of the pictures that the page brings along. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  picture.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  picture.append(use);
  return picture;
}

/** A moment, as the clock on one's wall shows it. */
export function clock(at) {
  const made = element("time", "", CLOCK.format(new Date(at)));
  made.dateTime = at;
  return made;
}

/** Text for the ears: read out once, after what is being said now. */
export function announce(text) {
  const announcements = document.getElementById("announcements");
  announcements.append(element("p", "", text));
  while (announcements.childElementCount > 20) announcements.firstElementChild.remove();
}
