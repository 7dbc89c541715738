/* The switches for what may go wrong on the wire. */

const form = document.getElementById("faults-form");
const badge = document.getElementById("faults-on");

/** Show the faults as the sandbox has them, but for the field that is being edited. */
export function show(faults) {
  for (const [name, value] of Object.entries(faults)) {
    const field = form.elements[name];
    if (!field || field === document.activeElement) continue;
    if (field.type === "checkbox") field.checked = value;
    else field.value = value;
  }
  const on = [faults.delay > 0, faults.duplicate, faults.drop, faults.bad_signature].filter(Boolean).length;
  badge.hidden = on === 0;
  badge.textContent = `${on} on`;
}

/** Call with the fault that the person changes. */
export function onChange(changed) {
  form.addEventListener("change", ({ target }) => {
    const value = target.type === "checkbox" ? target.checked : target.value || "0";
    changed({ [target.name]: value });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}
