// One execution whole; and two beside each other, with the words marked in which they differ.

import { get } from "./api.js";
import { diff } from "./diff.js";
import { make, visible } from "./dom.js";
import { factsOf, noteOf, statusOf } from "./feed.js";
import { moment, usd } from "./numbers.js";

export async function view({ parts: [id] }) {
  const one = await read(id);
  const run = one.metadata?.experiment === undefined && one.metadata?.runId;
  const element = make("div", {},
    make("h1", {}, visible(one.modelId)), facts(one),
    text("h2", "Prompt", visible(one.promptSnapshot)),
    one.error ? text("h2", "Error", visible(one.error)) : null,
    one.output === undefined ? null : text("h2", "Answer", visible(one.output)),
    run ? make("p", {}, make("a", { href: `#run/${encodeURIComponent(run)}` }, "The whole run, side by side")) : null);
  return { title: "Execution", element };
}

export async function compare({ parts: [first, second] }) {
  const both = await Promise.all([read(first), read(second)]);
  const prompts = marked(...both.map(({ promptSnapshot }) => visible(promptSnapshot)));
  const answers = marked(...both.map(({ output }) => visible(output ?? "")));
  const sides = both.map((one, i) =>
    make("section", { "aria-label": visible(one.modelId) },
      make("h2", {}, visible(one.modelId)), facts(one),
      text("h3", "Prompt", prompts[i]),
      one.error ? text("h3", "Error", visible(one.error)) : null,
      one.output === undefined ? null : text("h3", "Answer", answers[i])));
  const element = make("div", {},
    make("h1", {}, "Compare"),
    make("p", { class: "soft" }, "Marked is what the other does not have: ",
      make("del", {}, "struck through"), " in the first, ", make("ins", {}, "underlined"), " in the second."),
    make("div", { class: "two" }, sides));
  return { title: "Compare", element };
}

async function read(id) {
  return (await get(`/executions/${encodeURIComponent(id)}`)).told;
}

function facts(one) {
  const pairs = [
    ["Status", statusOf(one)],
    ["Asked", moment(one.startedAt)],
    ["Workspace", one.workspaceId],
    ["User", one.metadata?.user],
    ["Cost", one.cost === undefined ? "not known" : `USD ${usd(one.cost)}`],
    ["Times and tokens", factsOf(one)],
    ["Note", one.status === "completed" && noteOf(one.output ?? "", one.metadata?.stopReason)],
    ["Blocks", one.contextBlockIds.join(", ")],
  ];
  const known = pairs.filter(([, value]) => value);
  return make("dl", { class: "facts" }, known.map(([name, value]) => [make("dt", {}, name), make("dd", {}, visible(value))]).flat());
}

function text(heading, name, content) {
  // It may scroll, so it can be reached by keyboard.
  const box = make("pre", { tabindex: "0", role: "group", "aria-label": name }, content);
  return make("div", {}, make(heading, {}, name), box);
}

// Both texts in pieces, each with what only it has marked.
function marked(first, second) {
  const parts = diff(first, second);
  const side = (own, tag) => parts
    .filter(([kind]) => kind === "same" || kind === own)
    .map(([kind, words]) => (kind === "same" ? words : make(tag, {}, words)));
  return [side("old", "del"), side("new", "ins")];
}
