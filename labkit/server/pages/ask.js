// Where a question is put together: workspace, models, blocks, prompt; what it may cost; and Run.

import { ask, get, Refused } from "./api.js";
import { alerts, choice, field, make, say, tick, visible } from "./dom.js";
import * as draft from "./draft.js";
import { count, usd } from "./numbers.js";

const QUIET_MS = 300;

export async function view({ me, go }) {
  const may = me.workspaces.filter(({ role }) => role !== "viewer").map(({ name }) => name);
  if (!may.length) {
    const words = me.workspaces.length
      ? "You may read in your workspaces but not ask. An admin of one can make you a member."
      : "You are in no workspace yet. Whoever runs the service can add you to one.";
    return { title: "Ask", element: make("div", {}, make("h1", {}, "Ask"), make("p", {}, words)) };
  }
  const { told: models } = await get("/models");
  return new Form(models, may, go).shown();
}

class Form {
  constructor(models, workspaces, go) {
    this.go = go;
    const kept = draft.read();
    const workspace = workspaces.includes(kept.workspace) ? kept.workspace : workspaces[0];
    this.workspace = choice(workspaces.map((name) => [name, visible(name)]), workspace);
    this.models = models.map((model) => new Choice(model, kept.models.includes(model.id)));
    const unready = this.models.filter(({ ready }) => !ready);
    this.lacking = make("summary");
    this.unready = make("details", {}, this.lacking,
      make("p", { class: "soft details" }, "Whoever runs the service can make them ready."),
      unready.map(({ row }) => row));
    this.search = make("input", { type: "search", autocomplete: "off" });
    this.none = make("p", { class: "soft", role: "status" });
    this.blocks = [];
    this.blockList = make("div", { class: "list blocks" });
    this.prompt = make("textarea", { rows: 8, required: true });
    this.prompt.value = kept.prompt;
    this.cost = make("p", { class: "cost", role: "status" });
    this.trouble = alerts();
    this.run = make("button", { class: "main" }, "Run");
    this.chosenBlocks = new Set(kept.blocks);
  }

  async shown() {
    const form = make(
      "form", { onsubmit: (event) => this.submit(event), onchange: () => this.changed(), class: "ask" },
      make("div", { class: "column" },
        make("fieldset", {}, make("legend", {}, "Models"), field("Search by name", this.search), this.none,
          make("div", { class: "list" }, this.models.filter(({ ready }) => ready).map(({ row }) => row), this.unready))),
      make("div", { class: "column" },
        field("Workspace", this.workspace),
        make("fieldset", {}, make("legend", {}, "Context blocks"),
          make("p", { class: "soft details" }, "They are put in front of the prompt."), this.blockList),
        field("Prompt", this.prompt, "It is sent as it stands. Ctrl+Enter runs it."),
        this.cost, this.trouble, this.run),
    );
    this.search.addEventListener("input", () => this.filter());
    this.prompt.addEventListener("input", () => this.changed());
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    this.workspace.addEventListener("change", () => this.listBlocks());
    await this.listBlocks();
    this.filter();
    this.changed();
    const element = make("div", {}, make("h1", {}, "Ask"), form);
    return { title: "Ask", element, leave: () => clearTimeout(this.waiting) };
  }

  async listBlocks() {
    try {
      const { told } = await get("/blocks", { workspace_id: this.workspace.value });
      this.blocks = told.map((block) => blockOf(block, this.chosenBlocks.has(block.hash)));
      const none = make("p", { class: "soft" }, "No block is saved in this workspace.");
      this.blockList.replaceChildren(...(this.blocks.length ? this.blocks.map(({ row }) => row) : [none]));
      this.changed();
    } catch (error) {
      this.fail(error);
    }
  }

  filter() {
    const words = this.search.value.toLowerCase().split(/\s+/);
    const fitting = this.models.filter(({ name }) => words.every((word) => name.includes(word)));
    for (const model of this.models) {
      model.row.hidden = !fitting.includes(model) && !model.box.checked; // what is chosen stays in sight
    }
    const unready = fitting.filter(({ ready }) => !ready).length;
    say(this.lacking, `${count(unready)} not ready: the key or the weights are missing`);
    this.unready.hidden = !unready;
    // What was searched for is not to be hidden away; without words all of it is.
    this.unready.open = this.search.value !== "" || !this.models.some(({ ready }) => ready);
    say(this.none, fitting.length ? "" : "No model has that name.");
  }

  body() {
    return {
      prompt: this.prompt.value,
      model_ids: this.models.filter(({ box }) => box.checked).map(({ id }) => id),
      workspace_id: this.workspace.value,
      context_blocks: this.blocks.filter(({ box }) => box.checked).map(({ box }) => box.value),
    };
  }

  changed() {
    const { prompt, model_ids: models, workspace_id: workspace, context_blocks: blocks } = this.body();
    draft.keep({ prompt, models, workspace, blocks });
    this.chosenBlocks = new Set(blocks);
    this.key = null;
    say(this.trouble, "");
    clearTimeout(this.waiting);
    const whole = models.length > 0 && prompt.trim() !== "";
    this.cost.classList.toggle("soft", !whole);
    if (whole) this.waiting = setTimeout(() => this.estimate(), QUIET_MS);
    else say(this.cost, "Choose models and write a prompt to see what it costs.");
  }

  async estimate() {
    const body = this.body();
    try {
      const { told } = await ask("POST", "/estimate", body);
      if (JSON.stringify(body) === JSON.stringify(this.body())) say(this.cost, costWords(told));
    } catch (error) {
      say(this.cost, visible(error.message));
    }
  }

  async submit(event) {
    event.preventDefault();
    const body = this.body();
    if (!body.model_ids.length) return this.fail(new Error("Choose at least one model."));
    // The same question sent again after a lost answer is not paid twice.
    this.key ??= crypto.randomUUID();
    this.run.disabled = true;
    try {
      const headers = { Prefer: "respond-async", "Idempotency-Key": this.key };
      const { headers: answer } = await ask("POST", "/execute", body, headers);
      const run = answer.get("Location").split("/").at(-2);
      this.go(`#run/${run}`);
    } catch (error) {
      this.fail(error);
    } finally {
      this.run.disabled = false;
    }
    return undefined;
  }

  fail(error) {
    if (!(error instanceof Refused && error.status === 401)) say(this.trouble, visible(error.message));
  }
}

class Choice {
  constructor(model, checked) {
    this.id = model.id;
    const names = [model.id, model.name, ...(model.metadata?.aliases ?? [])];
    this.name = names.join(" ").toLowerCase();
    this.ready = model.metadata?.ready !== false;
    const label = model.name === model.id.split("/").at(-1) ? model.id : `${model.name} (${model.id})`;
    const details = [priceWords(model.pricing)];
    if (model.contextWindow !== undefined) details.push(`context ${count(model.contextWindow)} tokens`);
    const key = this.ready
      ? [" · ", keyWords(model)] : [make("div", { class: "warn" }, visible(model.metadata.lacks))];
    const how = { checked: checked && this.ready, disabled: !this.ready, value: model.id };
    ({ row: this.row, box: this.box } = tick(visible(label), [details.join(" · "), ...key], how));
  }
}

function blockOf({ name, hash, length, beginning }, checked) {
  const details = `${count(length)} characters: ${visible(beginning)}${length > beginning.length ? "…" : ""}`;
  return tick(visible(name), [details], { checked, value: hash });
}

function keyWords({ provider, metadata }) {
  if (provider === "local") return "runs on the service's machine";
  return metadata?.key === "not needed" ? "no key needed" : `key ${visible(metadata?.key ?? "unknown")}`;
}

function priceWords(pricing) {
  const { inputCostPer1kTokens: enter, outputCostPer1kTokens: leave } = pricing ?? {};
  if (enter === undefined || leave === undefined) return "price not known";
  if (enter === 0 && leave === 0) return "free";
  return `USD ${usd(enter * 1000)} in, ${usd(leave * 1000)} out per 1M tokens`;
}

// The lower end is an answer of one token, the upper one what a budget sets aside.
function costWords({ low_usd: low, high_usd: high, unknown }) {
  if (unknown.length) {
    const why = `no price or no longest answer is known of ${unknown.map(visible).join(", ")}.`;
    if (!low) return `What this costs is not known: ${why}`;
    return `This costs at least about USD ${usd(low)}. How much at most is not known: ${why}`;
  }
  if (!high) return "This costs nothing.";
  if (usd(low) === usd(high)) return `This costs about USD ${usd(high)}.`;
  return `This costs about USD ${usd(low)} if the answers are short, and USD ${usd(high)} at most.`;
}
