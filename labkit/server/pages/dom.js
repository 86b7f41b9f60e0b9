// Elements made of data. Text becomes text nodes and nothing else, so no model or user can put markup here.

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0\u034f]/gu;

// A text whose hidden characters are shown as codes, as labkit shows them everywhere. Each character stands
// for itself, so pieces can be joined after.
export function visible(text) {
  return text.replace(HIDDEN, (character) => {
    if (character === "\n" || character === "\t") return character;
    if (character === "\r") return "";
    return `⟨${character.codePointAt(0).toString(16).toUpperCase().padStart(2, "0")}⟩`;
  });
}

// make("p", { class: "soft", hidden: true, onclick: act }, "text", element, …). Attributes that are null or
// false are left out.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

let labels = 0;

// A label and its field, one above the other.
export function field(words, input, hint = null) {
  labels += 1;
  input.id ||= `field-${labels}`;
  const parts = [make("label", { for: input.id }, words), input];
  if (hint) {
    parts.push(make("p", { class: "soft", id: `${input.id}-hint` }, hint));
    input.setAttribute("aria-describedby", `${input.id}-hint`);
  }
  return make("div", { class: "field" }, parts);
}

// A checkbox with its name, and with details that a screen reader reads after it.
export function tick(name, details, { checked = false, disabled = false, value = "" } = {}) {
  labels += 1;
  const box = make("input", { type: "checkbox", id: `tick-${labels}`, value, checked, disabled });
  const label = make("label", { for: box.id }, name);
  const row = make("div", { class: "tick" }, box, label);
  if (details.length) {
    box.setAttribute("aria-describedby", `${box.id}-details`);
    row.append(make("div", { class: "soft details", id: `${box.id}-details` }, details));
  }
  return { row, box };
}

export function choice(options, chosen = "") {
  const select = make("select");
  for (const [value, words] of options) {
    select.append(make("option", { value, selected: value === chosen }, words));
  }
  return select;
}

export function alerts() {
  return make("p", { class: "trouble", role: "alert" });
}
