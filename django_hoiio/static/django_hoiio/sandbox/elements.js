/* Builds elements. Text from outside is inserted as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Create an element; its children are elements or plain text. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Create an icon from a symbol in the page. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  picture.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  picture.append(use);
  return picture;
}

/** Create a time element in local time. */
export function clock(at) {
  const made = element("time", "", CLOCK.format(new Date(at)));
  made.dateTime = at;
  return made;
}

/** Have screen readers read a text once, after the current one. */
export function announce(text) {
  const announcements = document.getElementById("announcements");
  announcements.append(element("p", "", text));
  while (announcements.childElementCount > 20) announcements.firstElementChild.remove();
}
