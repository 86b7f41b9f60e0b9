// One run's events as what the live grid is told: a snapshot, then numbered differences. The grid is the one
// of the notebook's widget (grid.js); this stands where its kernel would be. It asks nobody anything.

import { visible } from "./dom.js";
import { count, usd } from "./numbers.js";

// What a status of the API is called on the page.
export const STATUSES = {
  pending: "queued", running: "running", completed: "done", failed: "failed", cancelled: "stopped",
};
const STATES = {
  queued: "queued", asking: "asked, no text yet", streaming: "streaming", done: "done",
  failed: "failed", partial: "broken off", stopped: "stopped",
};
const OVER = new Set(["done", "failed", "partial", "stopped"]);
const NOT_WHOLE = ["failed", "partial", "stopped"];
// Codes of an `error` that somebody wanted.
const STOPPED = new Set(["RunAborted", "RunStopped", "ModelStopped"]);

function stateOf(run) {
  if (run.status === "completed") return "done";
  if (run.status === "cancelled") return "stopped";
  if (run.metadata?.partial) return "partial";
  return { failed: "failed", running: "asking" }[run.status] ?? "queued";
}

export class Feed {
  // `stop` is called with a model's id when it is to stop, with null when all are; null: nobody may here.
  constructor(title, stop = null) {
    this.title = title;
    this.stop = stop;
    this.listeners = new Set();
    this.answers = new Map();
    this.number = 0;
    this.over = false;
    this.trouble = "";
  }

  // -- what a grid wants of a widget's model ------------------------------------------------------

  on(_, listener) { this.listeners.add(listener); }

  off(_, listener) { this.listeners.delete(listener); }

  get() { return undefined; }

  send({ kind, model }) {
    if (kind === "hello") this.tellAll();
    if (kind === "stop") this.stop(model === undefined ? null : [...this.answers.keys()][Number(model)]);
  }

  // -- what happens -------------------------------------------------------------------------------

  // The models that are asked, in their order, as far as they are known before the first event.
  expect(runs) {
    for (const run of runs) this.answer(run.modelId);
    this.tellAll();
  }

  hear({ type, modelId, data }) {
    if (type === "end") return data.runs ? this.end(data.runs) : undefined;
    const known = this.answers.has(modelId);
    const answer = this.answer(modelId);
    const change = { i: answer.number };
    if (type === "start") {
      Object.assign(answer, { text: "", state: "asking", note: "", facts: "", cost: "" });
      change.t = "";
    } else if (type === "token") {
      answer.text += data.token;
      answer.state = "streaming";
      change["+"] = visible(data.token);
    } else if (type === "usage") {
      this.use(answer, data.usage);
    } else if (type === "complete") {
      answer.state = "done";
      answer.note = noteOf(answer.text, data.finishReason);
    } else if (type === "error") {
      answer.state = STOPPED.has(data.code) ? "stopped" : answer.text ? "partial" : "failed";
      answer.note = data.error;
    }
    if (!known) return this.tellAll();
    return this.tell(answer, change);
  }

  // What the run came to: every answer whole, with its numbers.
  end(runs) {
    this.over = true;
    for (const run of runs) {
      const answer = this.answer(run.modelId);
      answer.state = stateOf(run);
      answer.text = run.output ?? "";
      answer.note = run.error ?? (answer.state === "done" ? noteOf(answer.text, run.metadata?.stopReason) : "");
      answer.cost = run.cost === undefined ? "" : `USD ${usd(run.cost)}`;
      answer.usd = run.cost;
      answer.facts = factsOf(run);
    }
    this.tellAll();
  }

  say(trouble) {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    this.tellAll();
  }

  // A model (null: all) was asked to stop, or could not be: false.
  stopping(model, is = true) {
    for (const answer of this.answers.values()) {
      if (model === null || answer.model === model) answer.stopping = is;
    }
    this.tellAll();
  }

  // -- what it comes to ---------------------------------------------------------------------------

  answer(model) {
    if (!this.answers.has(model)) {
      this.answers.set(model, {
        number: this.answers.size, model, text: "", state: "queued", note: "", facts: "", cost: "", stopping: false,
      });
    }
    return this.answers.get(model);
  }

  use(answer, { promptTokens, completionTokens, estimatedCost }) {
    const words = [];
    if (promptTokens !== undefined) words.push(`${count(promptTokens)} tokens in`);
    if (completionTokens !== undefined) words.push(`${count(completionTokens)} out`);
    answer.facts = words.join(" · ");
    if (estimatedCost !== undefined) {
      answer.cost = `USD ${usd(estimatedCost)}`;
      answer.usd = estimatedCost;
    }
  }

  tell(answer, change) {
    const told = JSON.stringify([answer.state, answer.note, answer.facts, answer.cost]);
    const message = { panels: [told === answer.told ? change : { ...change, ...this.words(answer) }] };
    answer.told = told;
    const head = this.head();
    const said = JSON.stringify(head);
    if (said !== this.said) message.head = head;
    this.said = said;
    this.post({ kind: "some", ...message });
  }

  tellAll() {
    const answers = [...this.answers.values()];
    const panels = Object.fromEntries(answers.map(({ number }) => [String(number), number]));
    this.post({
      kind: "all",
      head: this.head(),
      rows: [{ id: 0, name: "answer", label: "", sample: "", panels, slim: false }],
      panels: answers.map((answer) => ({ i: answer.number, t: visible(answer.text), ...this.words(answer) })),
    });
  }

  post(message) {
    this.number += 1;
    for (const listener of this.listeners) listener({ ...message, number: this.number });
  }

  words({ state, facts, cost, note, stopping }) {
    const words = stopping && !OVER.has(state) ? `${STATES[state]}, stopping…` : STATES[state];
    return { s: state, w: words, a: "", m: "", f: facts, c: cost, n: visible(note) };
  }

  head() {
    const answers = [...this.answers.values()];
    const over = answers.filter(({ state }) => OVER.has(state));
    const done = over.filter(({ state }) => state === "done").length;
    const priced = answers.filter(({ usd: cost }) => cost !== undefined);
    const spent = priced.reduce((sum, { usd: cost }) => sum + cost, 0);
    const line = [`${done} of ${answers.length} answered`];
    for (const kind of NOT_WHOLE) {
      const many = over.filter(({ state }) => state === kind).length;
      if (many) line.push(`${many} ${STATES[kind]}`);
    }
    if (priced.length) line.push(`${priced.length < over.length ? "at least " : ""}USD ${usd(spent)}`);
    return {
      title: visible(this.title),
      state: this.over ? "finished" : this.allStop() ? "stopping" : "running",
      line: line.join(" · "),
      left: "",
      notes: [],
      trouble: this.trouble,
      bar: [0, 0, done, over.length - done],
      total: answers.length,
      models: answers.map(({ number, model, state, stopping }) => ({
        id: String(number), name: visible(model), counts: "", words: "",
        state: OVER.has(state) ? "ended" : stopping ? "stopping" : "",
      })),
      rows: "", where: "", page: null, pages: 1, over: this.over, folds: false,
      columns: [],
      steers: this.stop !== null && !this.over, pauses: false,
    };
  }

  allStop() {
    const going = [...this.answers.values()].filter(({ state }) => !OVER.has(state));
    return going.length > 0 && going.every(({ stopping }) => stopping);
  }
}

export function statusOf(run) {
  return run.status === "failed" && run.metadata?.partial ? STATES.partial : STATUSES[run.status];
}

// What is to be said of an answer that is done and yet not as one would wish.
const ENDS = {
  max_tokens: "Cut off: it reached the longest answer allowed (max_tokens).",
  refusal: "The model refused to answer.",
  content_filter: "A content filter ended it.",
  tool_calls: "It ends with the call of a tool.",
};

export function noteOf(text, finish) {
  return [text.trim() ? "" : "The answer is empty.", ENDS[finish] ?? ""].filter(Boolean).join(" ");
}

export function factsOf({ durationMs, inputTokens, outputTokens, metadata, metrics }) {
  const words = [];
  if (metadata?.ttftMs !== undefined) words.push(`first token ${(metadata.ttftMs / 1000).toFixed(2)} s`);
  if (durationMs !== undefined) words.push(`took ${(durationMs / 1000).toFixed(2)} s`);
  if (inputTokens !== undefined) words.push(`${count(inputTokens)} tokens in`);
  if (outputTokens !== undefined) words.push(`${count(outputTokens)} out`);
  if (outputTokens && metrics?.latency) words.push(`${count(Math.round((outputTokens / metrics.latency) * 1000))} tokens/s`);
  return words.join(" · ");
}
