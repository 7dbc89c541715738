/* The form with the faults to simulate. */

const form = document.getElementById("faults-form");
const badge = document.getElementById("faults-on");

/** Show the sandbox's faults, except in the field that is being edited. */
export function show(faults) {
  for (const [name, value] of Object.entries(faults)) {
    const field = form.elements[name];
    if (!field || field === document.activeElement) continue;
    if (field.type === "checkbox") field.checked = value;
    else field.value = value;
  }
  const { delay, duplicate, drop, bad_signature, own_in_query, unnamed_blocks, short_legs } = faults;
  const all = [delay > 0, duplicate, drop, bad_signature, own_in_query, unnamed_blocks, short_legs];
  const on = all.filter(Boolean).length;
  badge.hidden = on === 0;
  badge.textContent = `${on} on`;
}

/** Call back with each fault that the user changes. */
export function onChange(changed) {
  form.addEventListener("change", ({ target }) => {
    const value = target.type === "checkbox" ? target.checked : target.value || "0";
    changed({ [target.name]: value });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}
