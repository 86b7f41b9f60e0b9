// The page: who is logged in, and which view the address names. A log-in that ended leads here to the form;
// after it the same address is shown again.

import { ask, get, onEnded, Refused } from "./api.js";
import * as askView from "./ask.js";
import { alerts, field, make, say, visible } from "./dom.js";
import * as draft from "./draft.js";
import * as execution from "./execution.js";
import * as history from "./history.js";
import * as run from "./run.js";
import * as tokens from "./tokens.js";

const VIEWS = {
  ask: askView.view, run: run.view, history: history.view, execution: execution.view,
  compare: execution.compare, tokens: tokens.view,
};
const main = document.querySelector("main");
const navigation = document.querySelector("nav");
const who = document.querySelector(".who");
const page = { me: null, name: null, view: null, turn: 0 };

function go(address) {
  if (location.hash === address) show();
  else location.hash = address;
}

async function show() {
  if (!page.me) return;
  const [path, query] = location.hash.slice(1).split("?");
  const [name, ...parts] = path.split("/").map(decodeURIComponent);
  const chosen = Object.hasOwn(VIEWS, name) ? name : "ask";
  page.turn += 1;
  const { turn, me } = page;
  for (const link of navigation.children) {
    if (link.hash === `#${chosen}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.setAttribute("aria-busy", "true");
  const shown = await VIEWS[chosen]({ me, parts, query: new URLSearchParams(query), go }).catch(failed);
  if (turn !== page.turn) shown?.leave?.();
  else if (shown) put(shown);
}

function failed(error) {
  if (error instanceof Refused) {
    if (error.status === 401) return null; // the log-in is shown
    const words = make("p", { class: "trouble", role: "alert" }, visible(error.message));
    const passes = error.status === 0 || error.status >= 500;
    const again = passes ? make("button", { type: "button", onclick: show }, "Try again") : null;
    return { title: "Not shown", element: make("div", {}, make("h1", {}, "Not shown"), words, again) };
  }
  throw error;
}

function put({ title, element, leave }) {
  const first = page.view === null;
  page.view?.leave?.();
  page.view = { leave };
  main.replaceChildren(element);
  main.removeAttribute("aria-busy");
  document.title = `${title} · labkit`;
  const heading = element.querySelector("h1");
  heading.tabIndex = -1;
  if (!first) heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

// -- log-in and log-out ---------------------------------------------------------------------------

// After a log-out, `out` may hold the address at which one can log out elsewhere too.
function logIn(words = "", out = null) {
  page.turn += 1;
  const name = make("input", { autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false" });
  const password = make("input", { type: "password", autocomplete: "current-password", required: true });
  const trouble = alerts();
  const button = make("button", { class: "main" }, "Log in");
  const elsewhere = make("p");
  const parted = out && make("p", { role: "status" }, "You are logged out.");
  const form = make("form", { class: "log-in" },
    field("Name", name), field("Password", password), trouble, button, elsewhere);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say(trouble, "");
    try {
      const { told } = await ask("POST", "/auth/login/cookie", { username: name.value, password: password.value });
      loggedIn(told);
    } catch (error) {
      say(trouble, visible(error.message));
      button.disabled = false;
      password.focus();
      password.select();
    }
  });
  navigation.hidden = who.hidden = true;
  put({ title: "Log in", element: make("div", {}, make("h1", {}, "Log in"), parted, form) });
  say(trouble, visible(words));
  name.value = page.name ?? "";
  (name.value ? password : name).focus();
  offer(elsewhere, parted, out?.leftAt);
}

// The log-in by an identity provider, where one is configured; and its log-out, for who came from there.
async function offer(place, parted, leftAt) {
  const { told } = await get("/auth/oidc").catch(() => ({ told: null }));
  if (!told) return;
  const there = make("a", { class: "button", href: told.login }, `Log in with ${visible(told.name)}`);
  there.addEventListener("click", () => draft.keep({ address: location.hash }));
  place.append(there);
  if (leftAt) parted.append(" ", make("a", { href: leftAt }, `Log out at ${visible(told.name)} too`));
}

function loggedIn(me) {
  const address = draft.leftAt();
  draft.owner(me.username);
  if (address) window.history.replaceState(null, "", address);
  page.me = me;
  page.name = me.username;
  navigation.hidden = who.hidden = false;
  say(who.querySelector("span"), visible(me.username));
  show();
}

async function logOut() {
  let leftAt = null;
  try {
    leftAt = (await ask("POST", "/auth/logout")).told?.log_out_address;
  } catch (error) {
    if (error.status !== 401) return put(failed(error));
  }
  draft.forget();
  window.history.replaceState(null, "", location.pathname);
  page.me = page.name = null;
  return logIn("", { leftAt });
}

onEnded(({ message }) => {
  const known = page.me !== null;
  page.me = null;
  if (known) logIn(message);
});

async function begin() {
  who.querySelector("button").addEventListener("click", logOut);
  window.addEventListener("hashchange", show);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address names the view
    main.focus();
  });
  try {
    loggedIn((await get("/auth/me")).told);
  } catch (error) {
    logIn(error.status === 401 ? "" : error.message);
  }
}

begin();
