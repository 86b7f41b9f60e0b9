"""Names of prompts and blocks, and references such as `triage@3`.

A name ends up as a file's name, a column's value, a chart's label and a line in a terminal, so what
would be unsafe or unreadable in any of these is refused. It does not know which names exist.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from labkit.errors import DefinitionError

LONGEST = 100
_MOST_BYTES = 190
"""What the words in a name take at most, so that it can be a file's."""
_JOINER = "\u200d"  # joins emoji into one; the only invisible character with a place in a name
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}


def name_faults(name: object, *, what: str = "prompt") -> list[str]:
    """What is wrong with `name`; an empty list when nothing is.

    >>> name_faults("triage"), name_faults("../triage")
    ([], ["The prompt name '../triage' holds '/' ..."])
    """
    if not isinstance(name, str):
        return [f"The {what} name is {type(name).__name__}, not text."]
    shown = repr(name if len(name) <= 60 else name[:60] + "…")
    rules = (
        (not name.strip(), "is empty"),
        (name != name.strip(), "begins or ends with a blank"),
        (len(name) > LONGEST or _bytes(name) > 2 * LONGEST, f"is longer than {LONGEST} characters"),
        ("/" in name or "\\" in name, "holds '/' or '\\'"),
        ("@" in name, "holds '@', which separates a name from its version"),
        (".." in name or name.startswith((".", "-", "~")), "begins with '.', '-' or '~', or holds '..'"),
        # Of a longer one, which is refused already, the beginning will do.
        (any(map(_unprintable, name[: LONGEST + 1])), "holds characters that cannot be seen"),
        (name.partition(".")[0].casefold() in _DEVICES, "is the name of a device on Windows"),
    )
    return [
        f"The {what} name {shown} {fault}. Choose another, such as 'triage-short'."
        for wrong, fault in rules
        if wrong
    ][:3]


def twin_faults(names: Iterable[str], *, what: str = "prompt") -> list[str]:
    """A fault for each two different names that a person or a file system would take for one."""
    seen: dict[str, str] = {}
    faults = []
    for name in names:
        first = seen.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
        if first != name:
            faults.append(f"The {what} names {first!r} and {name!r} differ only in how they are written.")
    return faults


def parse_ref(ref: str) -> tuple[str, int | None]:
    """`name` or `name@version` as its parts; `DefinitionError` when it is neither.

    >>> parse_ref("triage@3"), parse_ref("triage")
    (('triage', 3), ('triage', None))
    """
    name, at, version = ref.partition("@") if isinstance(ref, str) else (ref, "", "")
    faults = name_faults(name)
    if at and (not re.fullmatch("[0-9]{1,9}", version) or int(version) < 1):
        faults.append(f"The version in {ref[:80]!r} is no whole number from 1 up: write it as name@2.")
    if faults:
        raise DefinitionError(faults)
    return name, int(version) if at else None


def is_ref(text: str) -> bool:
    """Whether `text` is a name rather than a template: one word of letters, digits, `.`, `-`, `_`, and `@2`.

    >>> is_ref("triage@2"), is_ref("Say {{ word }}"), is_ref("Say hi")
    (True, False, False)
    """
    return re.fullmatch(r"[\w.-]+(@\w*)?", text) is not None


def name_for(text: str) -> str:
    """A name for a prompt that was given as bare text: its first words and 6 digits of its hash.

    Words of any script where it has none of English letters, and where it has none at all, its variables.

    >>> name_for("Classify in one word: {{ text }}"), name_for("{{ text }}")
    ('classify-in-one-word-...', 'text-...')
    """
    said = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", text).lower()
    english, any_script = r"[a-z0-9]+", r"[^\W_]+"
    words = re.findall(english, said) or re.findall(any_script, said) or re.findall(any_script, text.lower())
    spoken = "-".join(word[:15] for word in words[:4]).encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"{spoken}-{_digits(text)}" if spoken else _digits(text)


def _digits(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))


def _unprintable(character: str) -> bool:
    return character != _JOINER and unicodedata.category(character)[0] in "CZ" and character != " "
