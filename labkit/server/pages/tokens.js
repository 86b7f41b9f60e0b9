// One's own tokens for scripts: made and shown once, listed, revoked.

import { ask, get } from "./api.js";
import { alerts, field, make, say, tick, visible } from "./dom.js";
import { moment } from "./numbers.js";

const SCOPES = [
  ["read", "read models, history and streams"],
  ["execute", "ask, and stop runs"],
  ["admin", "say who is a member, where you are an admin"],
];
const DAYS = 90;

export async function view({ me }) {
  return new Tokens(me).shown();
}

class Tokens {
  constructor(me) {
    this.name = make("input", { required: true, maxlength: 100, autocomplete: "off" });
    this.days = make("input", { type: "number", min: 1, max: 3650, value: DAYS, required: true });
    this.scopes = SCOPES.map(([value, details]) => tick(value, [details], { value, checked: value === "read" }));
    this.workspaces = me.workspaces.map(({ name, role }) => tick(visible(name), [`you are ${role === "admin" ? "an" : "a"} ${role}`], { value: name }));
    this.trouble = alerts();
    this.made = make("div", { role: "status" });
    this.list = make("ul", { class: "tokens" });
  }

  async shown() {
    const form = make("form", { class: "token", onsubmit: (event) => this.make(event) },
      make("h2", {}, "Make a token"),
      field("Name", this.name, "What it is for."), field("Days until it ends", this.days),
      group("It may", this.scopes), group("Only in", this.workspaces, "Tick none, and it reaches all of yours."),
      this.trouble, make("button", { class: "main" }, "Make it"), this.made);
    await this.read();
    const element = make("div", {},
      make("h1", {}, "Tokens"),
      make("p", {}, "A script that sends ", make("code", {}, "Authorization: Bearer lk_…"), " acts in your name, as far as the token allows."),
      form, make("h2", {}, "Your tokens"), this.list);
    return { title: "Tokens", element };
  }

  async read() {
    const { told } = await get("/tokens");
    const none = make("li", { class: "soft" }, "You have none.");
    this.list.replaceChildren(...(told.length ? told.map((one) => this.item(one)) : [none]));
  }

  async make(event) {
    event.preventDefault();
    const workspaces = ticked(this.workspaces);
    const body = { name: this.name.value, scopes: ticked(this.scopes), days: Number(this.days.value) };
    if (workspaces.length) body.workspaces = workspaces;
    try {
      say(this.trouble, "");
      const { told } = await ask("POST", "/tokens", body);
      const shown = make("textarea", { readonly: true, rows: 2, class: "secret" }, told.token);
      this.made.replaceChildren(field(`The token “${visible(told.name)}”, shown only now`, shown, "Keep it where only your script reads it."));
      shown.focus();
      shown.select();
      this.name.value = "";
      await this.read();
    } catch (error) {
      say(this.trouble, visible(error.message));
    }
  }

  item(one) {
    const over = one.revokedAt || new Date(one.expiresAt) < new Date();
    const state = one.revokedAt ? `revoked ${moment(one.revokedAt)}` : `${over ? "ended" : "ends"} ${moment(one.expiresAt)}`;
    const where = one.workspaces ? one.workspaces.join(", ") : "all your workspaces";
    const revoke = make("button", { type: "button", class: "danger", "aria-label": `Revoke ${visible(one.name)}` }, "Revoke");
    revoke.addEventListener("click", () => this.revoke(one.id));
    return make("li", {},
      make("div", {}, make("strong", {}, visible(one.name)), " ",
        make("span", { class: "soft" }, visible(`${one.scopes.join(", ")} · ${where} · ${state}`))),
      over ? null : revoke);
  }

  async revoke(id) {
    try {
      await ask("DELETE", `/tokens/${encodeURIComponent(id)}`);
      await this.read();
      this.list.tabIndex = -1;
      this.list.focus();
    } catch (error) {
      say(this.trouble, visible(error.message));
    }
  }
}

function group(words, ticks, hint = null) {
  const more = hint && make("p", { class: "soft details" }, hint);
  return make("fieldset", {}, make("legend", {}, words), more, ticks.map(({ row }) => row));
}

function ticked(ticks) {
  return ticks.filter(({ box }) => box.checked).map(({ box }) => box.value);
}
