"""The notice of a morning: what became of a sentinel, in few words for a chat or a mail.

It holds names, figures and ids of rows, and no answers unless they are asked for; what looks like a key is
taken out. It does not know who is told, nor how.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from labkit.keys import scrub
from labkit.sentinel.channels import calls_nobody
from labkit.sentinel.environment_keys import environment_keys
from labkit.visible import visible

MOST = 1_500
"""Characters of a notice."""
MOST_ROWS = 3


def message(
    name: str,
    outcome: str,
    was: str | None,
    sentences: Sequence[str],
    notes: Sequence[str],
    rows: Sequence[tuple[str, str | None]],
    *,
    where: str,
) -> str:
    """What is sent when the state changed from `was`, or a week after. `rows` are the worst by id, with their
    texts where these are wanted; `where` says of which run, in which lab, on which machine."""
    changed = f" (it was: {was})" if was is not None and was != outcome else " (as before)" if was else ""
    keys = environment_keys(os.environ)

    def safe(text: str, limit: int) -> str:
        # Before it is cut and its hidden characters are shown, by which a key would be none any more.
        return calls_nobody(scrub(visible(scrub(text, keys), limit=limit), keys))

    head = f"labkit: {safe(name, 80)}: {outcome}{changed}"
    tail = [f"Worst rows: {', '.join(safe(id, 40) for id, _ in rows)}"] if rows else []
    tail += [f"{safe(id, 40)}: {safe(text, 150)}" for id, text in rows if text is not None]
    tail.append(safe(where, 200))
    said = [safe(one, 400) for one in (*sentences, *(f"({note})" for note in notes))]
    room = MOST - len(head) - sum(len(one) + 1 for one in tail) - 40
    kept: list[str] = []
    for one in said:
        if room - len(one) - 1 < 0:
            kept.append(f"… and {len(said) - len(kept):,} more")
            break
        room -= len(one) + 1
        kept.append(one)
    return "\n".join([head, *kept, *tail])[:MOST]
