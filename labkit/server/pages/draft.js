// What is being written, and where, kept in this tab: a reload or a log-in that ended loses none of it. Log-out
// does.

const NAME = "labkit-draft";
const EMPTY = { user: "", workspace: "", models: [], blocks: [], prompt: "", address: "" };

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

// The view to show again after a log-in that leads over another site; told once.
export function leftAt() {
  const { address } = read();
  keep({ address: "" });
  return address;
}

export function forget() {
  sessionStorage.removeItem(NAME);
}
