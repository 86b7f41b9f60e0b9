// Which words of two texts differ: a longest common subsequence, of words, or of lines where there are many.

const WORDS = /\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
const LINES = /[^\n]*\n|[^\n]+/g;
const MOST = 4_000_000;

// [["same" | "old" | "new", text], …]: without "new" it is the first text, without "old" the second.
export function diff(first, second) {
  const inWords = [first.match(WORDS) ?? [], second.match(WORDS) ?? []];
  if (inWords[0].length * inWords[1].length <= MOST) return parts(...inWords);
  return parts(first.match(LINES) ?? [], second.match(LINES) ?? []);
}

function parts(a, b) {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const found = [];
  put(found, "same", a.slice(0, start));
  middle(found, a.slice(start, a.length - end), b.slice(start, b.length - end));
  put(found, "same", a.slice(a.length - end));
  return joined(found);
}

function middle(found, a, b) {
  if (a.length * b.length > MOST) {
    put(found, "old", a);
    put(found, "new", b);
    return;
  }
  const wide = b.length + 1;
  const common = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * wide + j] = a[i] === b[j]
        ? common[(i + 1) * wide + j + 1] + 1
        : Math.max(common[(i + 1) * wide + j], common[i * wide + j + 1]);
    }
  }
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      put(found, "same", [a[i]]);
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || common[(i + 1) * wide + j] >= common[i * wide + j + 1])) {
      put(found, "old", [a[i]]);
      i += 1;
    } else {
      put(found, "new", [b[j]]);
      j += 1;
    }
  }
}

// A blank between two changes is part of both: marks of a word each cannot be read.
function joined(found) {
  const all = [];
  found.forEach(([kind, words], i) => {
    const between = kind === "same" && !words.trim() && i > 0 && i < found.length - 1;
    if (!between) return all.push([kind, words]);
    return all.push(["old", words], ["new", words]);
  });
  return all;
}

function put(found, kind, words) {
  if (!words.length) return;
  const last = found.at(-1);
  if (last && last[0] === kind) last[1] += words.join("");
  else found.push([kind, words.join("")]);
}
