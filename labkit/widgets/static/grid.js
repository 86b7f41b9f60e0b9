// One view of the live grid. Python composes every word; this file sets text and nothing else: no markup
// from data, no arithmetic, no request. State: a snapshot, then numbered differences. What arrives between
// two frames is drawn together, all reading of scroll positions before all writing.

const GLYPHS = {
  queued: "○", waiting: "◷", asking: "◌", streaming: "◐",
  done: "●", known: "↺", failed: "!", partial: "✂", stopped: "–",
};
const MARKS = { right: "✓", wrong: "✗", unscored: "?", graded: "", several: "" };
const OVER = new Set(["done", "known", "failed", "partial", "stopped"]);
const NEAR_END_PX = 24;
const AGAIN_MS = 1500;
const MOST_TRIES = 100;
const BAR = ["settled", "replayed", "answered", "failed"];

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

function button(label, name, act) {
  const made = quiet(make("button", "lk-button", { type: "button", "aria-label": name }));
  made.append(label);
  made.addEventListener("click", act);
  return made;
}

class Grid {
  constructor(model, el) {
    this.model = model;
    this.number = null;
    this.columns = [];
    this.heads = [];
    this.tallies = [];
    this.rows = new Map();
    this.panels = new Map();
    this.pending = [];
    this.due = false;
    this.tries = 0;
    this.open = null;
    this.build(el);
  }

  // -- building -----------------------------------------------------------------------------------

  build(el) {
    this.root = quiet(make("section", "lk-grid lk-alive", { "aria-label": "labkit run" }));
    this.title = make("div", "lk-title");
    this.line = make("div", "lk-line", { role: "status" });
    this.left = make("div", "lk-left");
    this.notes = make("div", "lk-notes");
    this.trouble = make("div", "lk-trouble", { role: "alert" });
    this.fold = button("show answers", "show answers", () => this.unfold(this.answers.hidden));
    this.pause = button("Pause", "Pause", () => this.send({ kind: "pause", on: !this.paused }));
    this.stop = button("Stop all", "Stop all", () => this.send({ kind: "stop" }));
    this.stop.classList.add("lk-danger");
    this.bar = make("div", "lk-bar", { role: "progressbar", "aria-label": "cells ended", "aria-valuemin": "0" });
    this.segments = BAR.map((name) => this.bar.appendChild(make("span", `lk-${name}`)));
    const words = make("div", "lk-words");
    words.append(this.title, this.line, this.left, this.notes, this.trouble);
    const steering = make("div", "lk-steering");
    steering.append(this.pause, this.stop, this.fold);
    const head = make("div", "lk-head");
    head.append(words, steering);
    this.asked = make("div", "lk-asked", { role: "group", "aria-label": "models" });
    this.table = quiet(make("div", "lk-table"));
    this.table.tabIndex = -1;
    this.columnsHead = make("div", "lk-columns");
    this.corner = make("div", "lk-corner");
    this.body = make("div", "lk-body");
    this.table.append(this.columnsHead, this.body);
    this.where = make("span", "lk-where", { role: "status" });
    this.latest = button("In flight and latest", "In flight and latest", () => this.turn(null));
    this.earlier = button("‹", "Previous rows", () => this.turn(this.page === null ? this.pages - 1 : this.page - 1));
    this.later = button("›", "Next rows", () => this.turn(this.page === null ? 0 : this.page + 1));
    this.foot = make("nav", "lk-foot", { "aria-label": "rows of the run" });
    this.foot.append(this.earlier, this.where, this.later, this.latest);
    this.answers = make("div", "lk-all");
    this.answers.append(this.bar, this.asked, this.table, this.foot);
    this.root.append(head, this.answers);
    // Who reads or turns pages when the run ends does not want it folded under their hands.
    for (const sign of ["pointerdown", "keydown", "focusin"]) {
      this.answers.addEventListener(sign, () => { this.used = true; });
    }
    el.append(this.root);
    this.steer({ steers: false, pages: 1, page: null });
    this.folding({ over: false, folds: false });
  }

  row(placed) {
    const row = make("div", "lk-row", { role: "group", "aria-label": placed.name });
    const label = make("div", "lk-label");
    const name = make("bdi", "lk-name");
    name.append(placed.label);
    label.append(name);
    if (placed.sample) {
      const sample = make("bdi", "lk-sample");
      sample.append(placed.sample);
      label.append(" ", sample);
    }
    label.title = [placed.name, placed.sample].filter(Boolean).join(": ");
    row.append(label);
    const cells = this.columns.map(({ id }) => {
      const number = placed.panels[id];
      const cell = number === undefined ? make("div", "lk-gap") : this.panel(number, id, placed.name);
      row.append(cell);
      return number;
    });
    return { row, cells: cells.filter((number) => number !== undefined), key: this.keyOf(placed) };
  }

  keyOf({ slim, ...placed }) {
    return JSON.stringify([placed, this.shape]);
  }

  panel(number, id, name) {
    const column = this.columns.find((one) => one.id === id);
    const root = quiet(make("div", "lk-panel", {
      role: "log", "aria-label": `${column.name}, ${name}`, "aria-live": "off",
    }));
    root.tabIndex = 0;
    root.dataset.panel = number;
    const bar = make("div", "lk-facts");
    const glyph = make("span", "lk-glyph", { "aria-hidden": "true" });
    const state = make("span", "lk-state");
    const facts = make("div", "lk-clocks");
    const cost = make("span", "lk-cost");
    bar.append(glyph, state, cost);
    const earlier = make("details", "lk-earlier");
    const folded = quiet(make("summary", "lk-folded"));
    const steps = make("div", "lk-steps");
    earlier.append(folded, steps);
    earlier.hidden = true;
    const scroller = quiet(make("div", "lk-text"));
    scroller.tabIndex = -1; // the panel is the one stop; its arrows scroll
    const text = document.createTextNode("");
    scroller.append(text);
    const note = make("div", "lk-note");
    root.append(bar, earlier, scroller, note, facts);
    // A screen reader hears the one panel it is on, not forty-eight at once.
    root.addEventListener("focus", () => root.setAttribute("aria-live", "polite"));
    root.addEventListener("blur", () => root.setAttribute("aria-live", "off"));
    root.addEventListener("keydown", (event) => {
      if (event.target === folded) return; // Enter and blank open it, as everywhere
      if (event.key === "Enter") root.classList.toggle("lk-tall");
      else if (event.key === "ArrowDown") scroller.scrollTop += 40;
      else if (event.key === "ArrowUp") scroller.scrollTop -= 40;
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    root.addEventListener("dblclick", (event) => {
      if (event.target !== folded) root.classList.toggle("lk-tall");
    });
    const panel = { root, glyph, state, cost, facts, earlier, folded, steps, scroller, text, note };
    this.panels.set(number, panel);
    return root;
  }

  column(one, steers) {
    const root = make("div", "lk-column");
    const name = make("div", "lk-model");
    name.append(one.name);
    name.title = one.name;
    const counts = make("div", "lk-counts");
    const words = make("div", "lk-clocks");
    const top = make("div", "lk-top");
    top.append(name);
    const told = { counts, words };
    if (steers) {
      told.stop = button("Stop", `Stop ${one.name}`, () => this.send({ kind: "stop", model: one.id }));
      top.append(told.stop);
    }
    root.append(top, counts, words);
    return [root, told];
  }

  // -- hearing ------------------------------------------------------------------------------------

  hear(message) {
    if (message.kind === "trouble") return say(this.trouble, message.words);
    if (message.kind === "all") {
      this.number = message.number;
    } else {
      if (this.number === null) return undefined;
      if (message.number <= this.number) return undefined;
      if (message.number !== this.number + 1) return this.hello();
      this.number = message.number;
    }
    this.pending.push(message);
    return this.schedule();
  }

  hello() {
    // Asked again until it is answered: the first question may wait behind a running cell.
    clearTimeout(this.asking);
    this.number = null;
    this.send({ kind: "hello" });
    this.tries += 1;
    if (this.tries > MOST_TRIES) return;
    this.asking = setTimeout(() => { if (this.number === null) this.hello(); }, AGAIN_MS);
  }

  send(message) {
    try {
      this.model.send(message);
    } catch (error) {
      say(this.trouble, `The kernel cannot be reached (${error}). This is how the run stood.`);
    }
  }

  turn(page) {
    this.send({ kind: "page", page });
  }

  schedule() {
    if (this.due) return;
    this.due = true;
    const draw = () => { this.due = false; this.draw(); };
    // A hidden page has no frames; its text must go on all the same.
    if (document.hidden) setTimeout(draw, 50);
    else requestAnimationFrame(draw);
  }

  // -- drawing ------------------------------------------------------------------------------------

  draw() {
    const messages = this.pending;
    this.pending = [];
    const changes = new Map();
    let head = null;
    for (const message of messages) {
      if (message.head) head = message.head;
      if (message.head) this.shapeOf(message.head.models, message.head.columns);
      if (message.rows) this.place(message.rows);
      for (const change of message.panels || []) this.gather(changes, change);
    }
    for (const number of [...changes.keys()]) if (!this.panels.has(number)) changes.delete(number);
    const following = new Set();
    for (const number of changes.keys()) {
      const { scroller } = this.panels.get(number);
      if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX) following.add(number);
    }
    for (const [number, change] of changes) this.write(this.panels.get(number), change);
    if (head) this.sayHead(head);
    for (const number of following) {
      const panel = this.panels.get(number);
      // What still comes is followed; what is whole is read from its beginning.
      if (panel.ends) panel.scroller.scrollTop = 0;
      else if (panel.root.dataset.state === "streaming") panel.scroller.scrollTop = 1e7;
      panel.ends = false;
    }
  }

  gather(changes, change) {
    if (!this.panels.has(change.i)) return;
    const sum = changes.get(change.i) || { more: "" };
    if (change.t !== undefined) { sum.text = change.t; sum.more = ""; }
    if (change["+"] !== undefined) sum.more += change["+"];
    if (change.s !== undefined) sum.words = change;
    if (change.e !== undefined) sum.earlier = change.e;
    changes.set(change.i, sum);
  }

  write(panel, change) {
    if (change.text !== undefined) panel.text.data = change.text + change.more;
    else if (change.more) panel.text.appendData(change.more);
    if (change.earlier) this.stack(panel, change.earlier);
    if (!change.words) return;
    const { s, w, a, m, f, c, n } = change.words;
    panel.ends = OVER.has(s) && !OVER.has(panel.root.dataset.state);
    panel.root.dataset.state = s;
    panel.root.dataset.mark = m;
    say(panel.glyph, MARKS[m] ?? GLYPHS[s] ?? "·");
    say(panel.state, w);
    if (a) {
      panel.state.setAttribute("role", "img");
      panel.state.setAttribute("aria-label", a);
    } else {
      panel.state.removeAttribute("role");
      panel.state.removeAttribute("aria-label");
    }
    say(panel.facts, f);
    say(panel.cost, c);
    say(panel.note, n);
  }

  stack(panel, { line, steps }) {
    // The steps behind a chain's panel; whether it is open stays as it was.
    panel.earlier.hidden = !steps.length;
    say(panel.folded, line);
    panel.steps.replaceChildren(...steps.map(([head, text]) => {
      const step = make("div", "lk-step");
      if (head) {
        const said = make("div", "lk-clocks");
        said.append(head);
        step.append(said);
      }
      const body = make("div", "lk-said");
      body.append(text);
      step.append(body);
      return step;
    }));
  }

  shapeOf(models, columns) {
    // Where contenders are no models, these stand above, with what each was asked and a button to stop it.
    const apart = columns.length > 0;
    const shape = JSON.stringify([models.length, columns.length]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.columns = apart ? columns : models;
    this.heads = [];
    this.tallies = [];
    const draw = (one, steers, into) => {
      const [root, told] = this.column(one, steers);
      into.push(told);
      return root;
    };
    this.columnsHead.replaceChildren(this.corner, ...this.columns.map((one) => draw(one, !apart, this.heads)));
    this.asked.replaceChildren(...(apart ? models.map((one) => draw(one, true, this.tallies)) : []));
    this.asked.hidden = !apart;
    this.columnsHead.classList.toggle("lk-apart", apart);
    this.root.style.setProperty("--lk-columns", String(Math.max(1, this.columns.length)));
  }

  place(rows) {
    const wanted = new Set(rows.map(({ id }) => id));
    for (const [id, made] of this.rows) {
      if (!wanted.has(id)) this.drop(id, made);
    }
    rows.forEach((placed, position) => {
      let made = this.rows.get(placed.id);
      if (!made || made.key !== this.keyOf(placed)) made = this.renew(placed, made);
      made.row.classList.toggle("lk-slim", Boolean(placed.slim));
      const there = this.body.children[position];
      if (there !== made.row) this.body.insertBefore(made.row, there || null);
    });
  }

  renew(placed, old) {
    // A cell more in a row that is shown: its other panels keep their text and their place.
    const texts = new Map((old ? old.cells : []).map((number) => [number, this.panels.get(number)]));
    const made = this.row(placed);
    for (const number of made.cells) {
      const kept = texts.get(number);
      if (kept) {
        this.panels.get(number).root.replaceWith(kept.root);
        this.panels.set(number, kept);
        texts.delete(number);
      }
    }
    for (const number of texts.keys()) this.panels.delete(number);
    if (old) old.row.remove();
    this.rows.set(placed.id, made);
    return made;
  }

  drop(id, made) {
    made.row.remove();
    for (const number of made.cells) this.panels.delete(number);
    this.rows.delete(id);
  }

  sayHead(head) {
    say(this.title, head.title);
    say(this.line, `${head.state} · ${head.line}`);
    say(this.left, head.left);
    say(this.notes, head.notes.join("\n"));
    say(this.trouble, head.trouble);
    say(this.corner, head.rows);
    const ended = head.bar.reduce((sum, count) => sum + count, 0);
    this.bar.setAttribute("aria-valuemax", String(head.total));
    this.bar.setAttribute("aria-valuenow", String(ended));
    this.bar.setAttribute("aria-valuetext", head.line);
    this.segments.forEach((segment, i) => {
      segment.style.width = head.total ? `${(100 * head.bar[i]) / head.total}%` : "0";
    });
    const apart = head.columns.length > 0;
    this.sayCounts(this.heads, apart ? head.columns : head.models, head.steers);
    if (apart) this.sayCounts(this.tallies, head.models, head.steers);
    say(this.where, head.where);
    this.steer(head);
    this.folding(head);
  }

  sayCounts(heads, told, steers) {
    told.forEach((one, i) => {
      const { stop, counts, words } = heads[i];
      say(counts, one.state === "stopping" ? `${one.counts} · stopping` : one.counts);
      say(words, one.words);
      if (stop) stop.hidden = !steers || one.state !== "";
    });
  }

  // -- folding ------------------------------------------------------------------------------------

  folding({ over, folds }) {
    this.fold.hidden = !over;
    // What somebody chose, or was at when the run ended, holds.
    if (this.open === null || !over) this.unfold(!folds || Boolean(this.used));
    if (!over) this.open = null;
  }

  unfold(open) {
    this.open = open;
    this.answers.hidden = !open;
    this.fold.setAttribute("aria-expanded", String(open));
    const name = open ? "hide answers" : "show answers";
    say(this.fold, name);
    this.fold.setAttribute("aria-label", name);
  }

  steer(head) {
    this.page = head.page;
    this.pages = head.pages;
    this.paused = String(head.state).startsWith("paused");
    const stopping = String(head.state).startsWith("stop");
    this.stop.hidden = !head.steers || stopping;
    this.pause.hidden = this.stop.hidden || !head.pauses;
    const name = this.paused ? "Resume" : "Pause";
    say(this.pause, name);
    this.pause.setAttribute("aria-label", name);
    this.foot.hidden = head.pages <= 1;
    this.latest.hidden = Boolean(head.over);
    this.latest.setAttribute("aria-pressed", String(head.page === null));
    this.earlier.disabled = head.page === 0;
    this.later.disabled = head.page !== null && head.page >= head.pages - 1;
  }

  // -- without a kernel ---------------------------------------------------------------------------

  drawStill(still) {
    if (!still || !still.columns || this.number !== null) return;
    this.shapeOf([], still.columns.map((name, i) => ({ id: String(i), name })));
    let number = -1;
    const panels = [];
    const rows = still.rows.map((row, id) => {
      const numbers = {};
      row.panels.forEach(([s, text, note, said, mark, earlier], column) => {
        if (!s) return;
        numbers[String(column)] = number;
        panels.push({ i: number, t: text, s, w: said, m: mark, f: "", c: "", n: note, earlier });
        number -= 1;
      });
      return { id: -1 - id, name: row.name, label: row.name, sample: "", panels: numbers };
    });
    this.place(rows);
    for (const change of panels) this.write(this.panels.get(change.i), { text: change.t, more: "", words: change, earlier: change.earlier });
    say(this.title, still.title);
    const left = still.left ? ` · ${still.left} more rows are in the lab` : "";
    say(this.line, `as saved, answers cut at 200 characters · ${still.line}${left}`);
    say(this.left, still.unasked);
    say(this.notes, still.notes.join("\n"));
    this.folding({ over: still.over, folds: still.folds });
    this.open = null; // what the kernel says, if there is one, comes after
  }

  begin() {
    this.listener = (message) => this.hear(message);
    this.model.on("msg:custom", this.listener);
    this.drawStill(this.model.get("still"));
    this.hello();
  }

  end() {
    clearTimeout(this.asking);
    this.number = -1;
    this.model.off("msg:custom", this.listener);
  }
}

function render({ model, el }) {
  const grid = new Grid(model, el);
  grid.begin();
  return () => grid.end();
}

export default { render };
