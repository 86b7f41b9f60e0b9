// What is being written, kept in this tab: a reload or a log-in that ended loses none of it. Log-out does.

const NAME = "labkit-draft";
const EMPTY = { user: "", workspace: "", models: [], blocks: [], prompt: "" };

export function read() {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(NAME)) };
  } catch {
    return { ...EMPTY };
  }
}

export function keep(changes) {
  sessionStorage.setItem(NAME, JSON.stringify({ ...read(), ...changes }));
}

// What another wrote in this tab is not shown.
export function owner(user) {
  if (read().user !== user) forget();
  keep({ user });
}

export function forget() {
  sessionStorage.removeItem(NAME);
}
