"""The notice of a morning: what became of a sentinel, in few words for a chat or a mail.

It holds names, figures and ids of rows, and no answers unless they are asked for; what looks like a key is
taken out. It does not know who is told, nor how.
"""

from __future__ import annotations

from collections.abc import Sequence

from labkit.keys import scrub
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
    run_id: str,
) -> str:
    """What is sent when the state changed from `was`, or a week after. `rows` are the worst by id, with their
    texts where these are wanted."""
    changed = f" (it was: {was})" if was is not None and was != outcome else " (as before)" if was else ""
    head = f"labkit: {visible(name, limit=80)}: {outcome}{changed}"
    tail = [f"Worst rows: {', '.join(visible(id, limit=40) for id, _ in rows)}"] if rows else []
    tail += [f"{visible(id, limit=40)}: {visible(text, limit=150)}" for id, text in rows if text is not None]
    tail.append(f"run {visible(run_id, limit=60)}")
    said = [visible(one, limit=400) for one in (*sentences, *(f"({note})" for note in notes))]
    room = MOST - len(head) - sum(len(one) + 1 for one in tail) - 40
    kept: list[str] = []
    for one in said:
        if room - len(one) - 1 < 0:
            kept.append(f"… and {len(said) - len(kept):,} more")
            break
        room -= len(one) + 1
        kept.append(one)
    return scrub("\n".join([head, *kept, *tail]), [])[:MOST]
