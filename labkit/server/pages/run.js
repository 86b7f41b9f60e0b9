// A run while it goes, and after: its models side by side in the live grid, fed by its events.

import { ask, events, get, reachable, Refused } from "./api.js";
import { alerts, make, say, visible } from "./dom.js";
import { Feed } from "./feed.js";
import grid from "./grid.js";

const KINDS = ["start", "token", "usage", "complete", "error", "end"];
const AGAIN_MS = 1500;
const MOST_MODELS = 32;

export async function view({ me, parts: [run] }) {
  const { told: known } = await get("/executions", { run_id: run, limit: MOST_MODELS });
  if (!known.length) await reachable(run); // it says what is wrong
  const role = me.workspaces.find(({ name }) => name === known[0]?.workspaceId)?.role;
  return new Watched(run, known, role !== "viewer").shown();
}

class Watched {
  constructor(run, known, mayStop) {
    this.run = run;
    this.known = known;
    const where = known.length ? ` in ${known[0].workspaceId}` : "";
    this.feed = new Feed(`${run}${where}`, mayStop ? (model) => this.stop(model) : null);
    this.trouble = alerts();
    this.links = make("p", { class: "links" });
    this.links.hidden = true;
  }

  shown() {
    const place = make("div", { class: "grid" });
    const element = make("div", {},
      make("h1", {}, "Run"), this.prompt(),
      this.trouble, place, this.links,
      make("p", { class: "buttons" }, make("a", { class: "button", href: "#ask" }, "Ask another")));
    const end = grid.render({ model: this.feed, el: place });
    this.feed.expect(this.known);
    this.open();
    return { title: "Run", element, leave: () => { end(); this.leave(); } };
  }

  prompt() {
    const [first] = this.known;
    if (!first) return null;
    const cut = first.metadata?.promptCut ? "…" : "";
    return make("pre", { class: "asked", tabindex: "0", role: "group", "aria-label": "Prompt" },
      visible(first.promptSnapshot) + cut);
  }

  // -- its events ---------------------------------------------------------------------------------

  open() {
    this.source = new EventSource(events(this.run));
    this.source.addEventListener("open", () => this.feed.say(""));
    for (const kind of KINDS) {
      this.source.addEventListener(kind, (event) => {
        // An `error` without data is the browser's own: the connection was lost.
        if (event.data === undefined) this.lost();
        else this.hear(JSON.parse(event.data));
      });
    }
  }

  hear(event) {
    this.feed.hear(event);
    if (event.type === "end" && event.data.runs) {
      this.leave();
      this.ended(event.data.runs);
    }
  }

  lost() {
    this.feed.say("The connection was lost. It is tried again; the run goes on meanwhile.");
    // What the browser does not try again by itself.
    if (this.source.readyState === EventSource.CLOSED) this.waiting = setTimeout(() => this.again(), AGAIN_MS);
  }

  async again() {
    try {
      if (await reachable(this.run)) this.open();
      else this.waiting = setTimeout(() => this.again(), AGAIN_MS);
    } catch (error) {
      this.feed.say(visible(error.message));
    }
  }

  leave() {
    clearTimeout(this.waiting);
    this.source.close();
  }

  // -- its end ------------------------------------------------------------------------------------

  // One model by its id, or all: null.
  async stop(model) {
    const alone = model === null ? "" : `?${new URLSearchParams({ model_id: model })}`;
    say(this.trouble, "");
    this.feed.stopping(model);
    try {
      await ask("DELETE", `/runs/${encodeURIComponent(this.run)}${alone}`);
    } catch (error) {
      this.feed.stopping(model, false);
      if (!(error instanceof Refused && error.status === 401)) say(this.trouble, visible(error.message));
    }
  }

  ended(runs) {
    const each = runs.map(({ id, modelId }) =>
      make("a", { href: `#execution/${encodeURIComponent(id)}` }, visible(modelId)));
    this.links.replaceChildren("Read in full: ", ...each.flatMap((link, i) => (i ? [", ", link] : [link])));
    if (runs.length === 2) {
      const [first, second] = runs.map(({ id }) => encodeURIComponent(id));
      this.links.append(" · ", make("a", { href: `#compare/${first}/${second}` }, "Compare the two"));
    } else if (runs.length > 2) {
      const list = `#history?run_id=${encodeURIComponent(this.run)}`;
      this.links.append(" · ", make("a", { href: list }, "Choose two to compare"));
    }
    this.links.hidden = false;
  }
}
