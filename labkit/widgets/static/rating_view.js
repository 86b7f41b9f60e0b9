// One view of a rating: a task at a time, its answers, and a button and a key for each thing that can be said.
// What is shown comes from Python and is set as text: no markup from data. State: the last message, which has
// a number; a press bears the task's token and a mark of its own, and is sent again until it is answered.

const TWICE_MS = 200; // two presses within it are one
const AGAIN_MS = 1500;
const STILL_MS = 700; // so long a view waits for a kernel before it shows what was saved
const SLOW_TRIES = 2;
const MOST_TRIES = 100;
const SCROLL_PX = 80;
const HELP = [["n", "note"], ["←", "take back"], ["j k", "scroll"], ["Esc", "leave"]];

function make(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function quiet(element) {
  // JupyterLab's shortcuts would take the keys from whoever has the focus here. It looks for the mark from the
  // focused element upwards, and for its own `:focus` at each: so every element that takes focus bears it.
  element.setAttribute("data-lm-suppress-shortcuts", "true");
  return element;
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function keyOf(event) {
  // Where digits are typed with shift, the bare key counts too.
  const digit = !event.shiftKey && /^Digit(\d)$/.exec(event.code);
  if (digit) return digit[1];
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

class Rating {
  constructor(model, el) {
    this.model = model;
    this.number = 0;
    this.shown = null;
    this.pending = null;
    this.pressed = -Infinity;
    this.kept = "";
    this.sent = 0;
    this.name = Math.random().toString(36).slice(2, 10);
    this.build(el);
  }

  // -- building -----------------------------------------------------------------------------------

  build(el) {
    this.root = quiet(make("section", "lk-rating lk-alive", { tabindex: "0" }));
    this.progress = make("div", "lk-done", { role: "status" });
    this.bar = make("div", "lk-meter", { "aria-hidden": "true" });
    this.filled = this.bar.appendChild(make("span", ""));
    const head = make("div", "lk-top-line");
    head.append(this.progress, this.bar);
    this.question = make("div", "lk-question", { role: "heading", "aria-level": "3" });
    this.parts = make("div", "lk-parts");
    this.answers = make("div", "lk-side-by-side", { "aria-live": "off" });
    this.choices = make("div", "lk-choices", { role: "group", "aria-label": "What do you say?" });
    this.build_note();
    this.told = make("div", "lk-told", { role: "status" });
    this.trouble = make("div", "lk-trouble", { role: "alert" });
    this.root.append(
      head, this.question, this.parts, this.answers, this.choices, this.keeping, this.told, this.trouble, this.foot(),
    );
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    // A screen reader hears a new answer while somebody is here, and only then.
    this.root.addEventListener("focusin", () => this.answers.setAttribute("aria-live", "polite"));
    this.root.addEventListener("focusout", () => this.answers.setAttribute("aria-live", "off"));
    el.append(this.root);
  }

  build_note() {
    this.keeping = make("div", "lk-keeping");
    this.field = quiet(make("input", "lk-field", {
      type: "text", "aria-label": "note on this task", maxlength: "2000", autocomplete: "off",
      placeholder: "a note; Enter keeps it",
    }));
    this.field.hidden = true;
    this.remark = make("div", "lk-remark", { role: "status" });
    this.keeping.append(this.field, this.remark);
  }

  foot() {
    const foot = make("div", "lk-under");
    this.noting = this.button("lk-plain", () => this.openNote());
    this.undoing = this.button("lk-plain", () => this.undo());
    this.noting.setAttribute("aria-keyshortcuts", "n");
    this.undoing.setAttribute("aria-keyshortcuts", "ArrowLeft Backspace");
    const [note, undo, ...more] = HELP.map(([key, word]) => this.keyed(key, word));
    this.noting.append(...note);
    this.undoing.append(...undo);
    const help = make("span", "lk-help");
    for (const pieces of more) {
      const one = make("span", "lk-hint");
      one.append(...pieces);
      help.append(one);
    }
    // Pressed by the mouse or a screen reader; whoever goes by Tab comes to the whole, which is the same.
    const back = make("span", "lk-off");
    this.back = this.button("lk-plain", () => this.focus());
    this.back.tabIndex = -1;
    this.back.append("go on");
    this.back.addEventListener("pointerdown", (event) => { event.preventDefault(); this.focus(); });
    back.append("keys are off: ", this.back);
    foot.append(this.noting, this.undoing, help, back);
    return foot;
  }

  keyed(key, word) {
    const mark = make("kbd", "lk-key", { "aria-hidden": "true" });
    mark.append(key);
    return [mark, ` ${word}`];
  }

  button(className, act) {
    const made = quiet(make("button", className, { type: "button" }));
    made.addEventListener("click", act);
    return made;
  }

  choice([key, label, title]) {
    const made = this.button("lk-choice", (event) => this.press(key, event));
    const short = key.length === 1;
    if (short) made.setAttribute("aria-keyshortcuts", key);
    made.title = title || label;
    made.dataset.key = key;
    const word = make("bdi", "lk-word");
    word.append(label);
    const line = make("span", "lk-choice-line");
    if (short) line.append(this.keyed(key, "")[0]);
    line.append(word);
    made.append(line);
    if (title) {
      const meaning = make("bdi", "lk-meaning");
      meaning.append(title);
      made.append(meaning);
    }
    return made;
  }

  box(heading, text, className, empty) {
    const made = make("div", className, { role: "group", "aria-label": heading });
    const name = make("div", "lk-heading");
    name.append(heading);
    // It has a tab stop, since it may scroll.
    const body = quiet(make("div", "lk-body-text", { tabindex: "0" }));
    body.append(text);
    body.classList.toggle("lk-nothing", Boolean(empty));
    made.append(name, body);
    return made;
  }

  // -- keys ---------------------------------------------------------------------------------------

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target === this.field) return this.onFieldKey(event);
    // A key that is held down is pressed once.
    if (event.repeat && event.key === "Enter") return event.preventDefault();
    const act = this.actOf(keyOf(event), event);
    if (!act) return undefined;
    event.preventDefault();
    if (!event.repeat || act.again) act();
    return undefined;
  }

  actOf(key, event) {
    if (key === "ArrowLeft" || key === "Backspace") return () => this.undo(event);
    if (key === "Escape") return () => document.activeElement.blur();
    if (key === "n") return () => this.openNote();
    if (key === "j" || key === "k") {
      return Object.assign(() => this.scroll(key === "j" ? SCROLL_PX : -SCROLL_PX), { again: true });
    }
    if (this.shown && this.shown.choices.some(([one]) => one === key)) return () => this.press(key, event);
    return null;
  }

  onFieldKey(event) {
    if (event.key === "Enter") this.keepNote();
    else if (event.key !== "Escape") return;
    event.preventDefault();
    this.closeNote();
  }

  scroll(px) {
    for (const body of this.answers.querySelectorAll(".lk-body-text")) body.scrollTop += px;
  }

  focus() {
    this.root.focus({ preventScroll: true });
  }

  // -- notes --------------------------------------------------------------------------------------

  openNote() {
    if (!this.shown || this.shown.over) return;
    this.field.hidden = false;
    this.field.value = this.kept;
    this.field.focus();
  }

  keepNote() {
    this.kept = this.field.value.trim();
    this.sayNote();
  }

  closeNote() {
    this.field.hidden = true;
    this.focus();
    this.sayNote();
  }

  sayNote() {
    say(this.remark, this.kept && this.field.hidden ? `note: ${this.kept}` : "");
  }

  // -- asking -------------------------------------------------------------------------------------

  press(key, event) {
    if (!this.shown || this.shown.over || !this.once(event)) return;
    if (!this.field.hidden) { // a note that is still being written is meant
      this.keepNote();
      this.closeNote();
    }
    this.ask({ kind: "press", key, note: this.kept });
  }

  undo(event) {
    if (this.shown && this.once(event)) this.ask({ kind: "undo" });
  }

  once(event) {
    const at = event ? event.timeStamp : performance.now();
    if (this.pending || at - this.pressed < TWICE_MS) return false;
    this.pressed = at;
    return true;
  }

  ask(wanted) {
    this.sent += 1;
    this.pending = { ...wanted, task: this.shown.task, mark: `${this.name}-${this.sent}` };
    this.tries = 0;
    this.wait(true);
    this.send();
  }

  hello() {
    if (this.number) return;
    this.pending = { kind: "hello" };
    this.tries = 0;
    this.send();
  }

  send() {
    // Sent again until it is answered: it may wait behind a running cell. Python takes it once.
    clearTimeout(this.asking);
    if (!this.pending) return;
    if (this.tries === SLOW_TRIES && this.shown) say(this.told, "The kernel is busy or away. This waits for it …");
    if (this.tries >= MOST_TRIES) return this.giveUp("The kernel does not answer.");
    this.tries += 1;
    this.asking = setTimeout(() => this.send(), AGAIN_MS);
    try {
      this.model.send(this.pending);
    } catch (error) {
      this.giveUp(`The kernel cannot be reached (${error}).`);
    }
    return undefined;
  }

  giveUp(why) {
    clearTimeout(this.asking);
    const lost = this.pending && this.pending.kind !== "hello";
    this.pending = null;
    this.wait(false);
    say(this.told, "");
    say(this.trouble, lost ? `${why} What you said last may not be kept.` : why);
  }

  wait(on) {
    // Not `disabled`, which would take the focus away, and with it the keys.
    this.root.setAttribute("aria-busy", String(on));
    for (const one of this.root.querySelectorAll(".lk-choice, .lk-plain")) {
      if (one !== this.back) one.setAttribute("aria-disabled", String(on));
    }
  }

  // -- hearing ------------------------------------------------------------------------------------

  hear(message) {
    if (message.kind !== "state" || message.number <= this.number) return;
    this.number = message.number;
    const before = this.shown;
    this.shown = message;
    const other = !before || before.task !== message.task;
    const waited = this.pending;
    if (waited && (other || !waited.mark || waited.mark === message.mark)) {
      clearTimeout(this.asking);
      this.pending = null;
    }
    clearTimeout(this.stillness);
    if (other) this.draw(message);
    this.sayHead(before, message);
    say(this.told, message.told);
    say(this.trouble, message.trouble);
    this.wait(Boolean(this.pending));
  }

  draw(message) {
    const here = this.root.contains(document.activeElement);
    this.kept = "";
    this.field.value = "";
    this.field.hidden = true;
    this.sayNote();
    this.root.classList.toggle("lk-over", message.over);
    this.root.dataset.answers = message.answers.length;
    this.parts.replaceChildren(...message.parts.map(([name, text]) => this.box(name, text, "lk-part")));
    this.answers.replaceChildren(
      ...message.answers.map(([name, text, empty]) => this.box(name, text, "lk-answer", empty)),
    );
    this.choices.hidden = this.noting.hidden = message.over;
    this.undoing.hidden = false;
    this.holdFocus(here);
  }

  sayHead(before, message) {
    const here = this.root.contains(document.activeElement);
    this.root.setAttribute("aria-label", message.title);
    const [done, total, words] = message.progress;
    say(this.progress, message.over ? "" : words);
    this.filled.style.width = total ? `${(100 * done) / total}%` : "0";
    say(this.question, message.over ? words : message.question);
    if (!before || JSON.stringify(before.choices) !== JSON.stringify(message.choices)) {
      this.choices.replaceChildren(...message.choices.map((one) => this.choice(one)));
    }
    this.holdFocus(here);
  }

  holdFocus(here) {
    // Whoever was on something that is gone has the keys all the same.
    const on = document.activeElement;
    if (here && (!this.root.contains(on) || on.closest("[hidden]"))) this.focus();
  }

  drawStill([title, done, how]) {
    this.root.setAttribute("aria-label", title);
    say(this.question, title);
    say(this.progress, done);
    say(this.told, how);
  }

  begin() {
    this.listener = (message) => this.hear(message);
    this.model.on("msg:custom", this.listener);
    // Until a kernel answers there is nothing to press.
    this.root.classList.add("lk-over");
    this.noting.hidden = this.undoing.hidden = true;
    this.stillness = setTimeout(() => this.drawStill(this.model.get("still")), STILL_MS);
    this.hello();
  }

  end() {
    clearTimeout(this.asking);
    clearTimeout(this.stillness);
    this.pending = null;
    this.model.off("msg:custom", this.listener);
  }
}

function render({ model, el }) {
  const rating = new Rating(model, el);
  rating.begin();
  return () => rating.end();
}

export default { render };
