// What was asked before, by the service and in notebooks: filtered, searched, page by page, two to compare.

import { get, next } from "./api.js";
import { choice, field, make, say, visible } from "./dom.js";
import { STATUSES, statusOf } from "./feed.js";
import { moment, usd } from "./numbers.js";

const PER_PAGE = 25;
const FILTERS = ["workspace_id", "model_id", "status", "user_id", "q", "run_id"];

export async function view({ me, query, go }) {
  const asked = Object.fromEntries([...FILTERS, "cursor"].map((name) => [name, query.get(name) ?? ""]));
  const [{ told: found, headers }, { told: models }] = await Promise.all([
    get("/executions", { ...asked, limit: PER_PAGE }), get("/models"),
  ]);
  const older = next(headers);
  const list = new Comparable(found, go);
  const none = Object.values(asked).some(Boolean)
    ? ["Nothing was found. ", make("a", { href: "#history" }, "Show all")] : ["Nothing was asked yet."];
  const element = make("div", {},
    make("h1", {}, "History"), filters(me, models, asked, go),
    found.length ? list.element : make("p", { role: "status" }, none),
    make("p", { class: "buttons" },
      found.length > 1 ? list.compare : null,
      asked.cursor ? make("a", { class: "button", href: address({ ...asked, cursor: "" }) }, "Newest") : null,
      older ? make("a", { class: "button", href: address({ ...asked, cursor: older.get("cursor") }) }, "Older") : null));
  return { title: "History", element };
}

function address(filters) {
  const given = Object.entries(filters).filter(([, value]) => value);
  return given.length ? `#history?${new URLSearchParams(given)}` : "#history";
}

function filters(me, models, asked, go) {
  const known = make("datalist", { id: "models" }, models.map(({ id }) => make("option", { value: id })));
  const fields = {
    q: make("input", { type: "search", value: asked.q, maxlength: 200 }),
    workspace_id: choice([["", "all of mine"], ...me.workspaces.map(({ name }) => [name, visible(name)])], asked.workspace_id),
    model_id: make("input", { value: asked.model_id, list: known.id, placeholder: "any", autocomplete: "off", spellcheck: "false" }),
    status: choice([["", "any"], ...Object.entries(STATUSES)], asked.status),
    user_id: make("input", { value: asked.user_id, placeholder: "any", autocomplete: "off", spellcheck: "false" }),
  };
  const submit = (event) => {
    event.preventDefault();
    const given = Object.entries(fields).map(([name, { value }]) => [name, value.trim()]);
    go(address({ ...Object.fromEntries(given), run_id: asked.run_id }));
  };
  return make("form", { class: "filters", role: "search", "aria-label": "History", onsubmit: submit },
    field("Search prompts and answers", fields.q), field("Workspace", fields.workspace_id),
    field("Model", fields.model_id), field("Status", fields.status), field("User", fields.user_id),
    known, make("button", {}, "Show"),
    asked.run_id ? make("p", { class: "soft" }, `Only run ${visible(asked.run_id)}. `, make("a", { href: "#history" }, "Show all")) : null);
}

class Comparable {
  constructor(found, go) {
    this.ticked = [];
    this.compare = make("button", { type: "button", onclick: () => this.go(go) });
    this.element = make("ol", { class: "executions" }, found.map((one) => this.item(one)));
    this.told();
  }

  item(one) {
    const model = visible(one.modelId);
    const box = make("input", { type: "checkbox", "aria-label": `Compare ${model} of ${moment(one.startedAt)}` });
    box.addEventListener("change", () => {
      this.ticked = box.checked ? [...this.ticked, one.id] : this.ticked.filter((id) => id !== one.id);
      this.told();
    });
    const facts = [one.workspaceId, one.metadata?.user, one.cost === undefined ? null : `USD ${usd(one.cost)}`];
    return make("li", {},
      box,
      make("div", { class: "what" },
        make("a", { href: `#execution/${encodeURIComponent(one.id)}` }, model, " · ", moment(one.startedAt)),
        " ", make("span", { class: `status ${one.status}` }, statusOf(one)), " ",
        make("span", { class: "soft" }, visible(facts.filter(Boolean).join(" · "))),
        make("p", { class: "beginning" }, visible(one.promptSnapshot)),
        make("p", { class: "beginning soft" }, visible(one.output ?? one.error ?? ""))));
  }

  told() {
    this.compare.disabled = this.ticked.length !== 2;
    const few = this.ticked.length < 2 ? "Tick two to compare them" : "Tick only two to compare them";
    say(this.compare, this.compare.disabled ? few : "Compare the two that are ticked");
  }

  go(go) {
    go(`#compare/${this.ticked.map(encodeURIComponent).join("/")}`);
  }
}
