// The service's API, asked with the cookie of the log-in. Every refusal is a Refused, whose words are the
// server's own; one that says that nobody is logged in also tells whoever listens.

const BASE = "/api/v1";
const AWAY = "The service cannot be reached. Is it running? Try again.";
const ended = new Set();
// What a proxy answers in the service's place.
const NOT_THERE = new Set([502, 503, 504]);

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Called when the server says that nobody is logged in (any more).
export function onEnded(listener) {
  ended.add(listener);
}

// The answer's JSON (null where it has none) and its headers.
export async function ask(method, path, body, headers = {}) {
  const sent = { method, headers: { Accept: "application/json", ...headers } };
  if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(BASE + path, sent);
  } catch {
    throw new Refused(0, AWAY);
  }
  const told = await answer.json().catch(() => null);
  if (answer.ok) return { told, headers: answer.headers };
  const plain = NOT_THERE.has(answer.status) ? AWAY : `The service answered ${answer.status} without words.`;
  const refused = new Refused(answer.status, told?.detail ?? plain);
  if (answer.status === 401 && !path.startsWith("/auth/login")) for (const listener of ended) listener(refused);
  throw refused;
}

export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined);
  const asked = new URLSearchParams(given).toString();
  return ask("GET", asked ? `${path}?${asked}` : path);
}

// The query of the next page that a Link header names; null at the end.
export function next(headers) {
  const link = /<([^>]*)>;\s*rel="next"/.exec(headers.get("Link") ?? "");
  return link ? new URL(link[1], location.origin).searchParams : null;
}

export function events(run) {
  return `${BASE}/runs/${encodeURIComponent(run)}/events`;
}

// Whether the events of a run can be had now. Raises Refused. What comes is not read.
export async function reachable(run) {
  const leaving = new AbortController();
  let answer;
  try {
    answer = await fetch(events(run), { signal: leaving.signal });
  } catch {
    return false;
  }
  if (answer.ok) {
    leaving.abort();
    return true;
  }
  const told = await answer.json().catch(() => null);
  const refused = new Refused(answer.status, told?.detail ?? "The run's events cannot be had.");
  if (answer.status === 401) for (const listener of ended) listener(refused);
  if (answer.status >= 500) return false;
  throw refused;
}
