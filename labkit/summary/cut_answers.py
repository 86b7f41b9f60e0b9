"""Answers that are done and yet not whole: cut at max_tokens, empty, refused. Counted, and said in sentences.

They stay in every figure; replays count like their originals. It does not know why an answer became so, nor
what its scorer made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from labkit.records import Generation

KINDS = ("cut", "empty", "refused")
REFUSED = ("refusal", "content_filter")
SAID = {
    "cut": (
        "ended at max_tokens",
        "ended at max_tokens",
        "give a larger max_tokens, or tell the prompt to be short",
    ),
    "empty": (
        "is empty",
        "are empty",
        "a stop sequence met at once, or max_tokens used up by reasoning, leaves no text",
    ),
    "refused": (
        "is a refusal",
        "are refusals",
        "the model's, or its content filter's; they are scored as they stand",
    ),
}
"""What is said of one answer, of several, and what can be done about it."""


def of_row(generation: Generation) -> tuple[str, ...]:
    """What one answer is of `KINDS`.

    >>> from labkit.records import Generation
    >>> told = dict.fromkeys(Generation.__struct_fields__[:10], "")
    >>> of_row(Generation(**told, status="done", text=" \\n", stop_reason="max_tokens", request_id=""))
    ('cut', 'empty')
    """
    if generation.status != "done":
        return ()
    is_so = (
        generation.stop_reason == "max_tokens",
        not (generation.text or "").strip(),
        generation.stop_reason in REFUSED,
    )
    return tuple(kind for kind, so in zip(KINDS, is_so, strict=True) if so)


def of_frame(frame: pd.DataFrame) -> dict[str, NDArray[np.bool_] | None]:
    """Which rows are so, by kind; None where the frame lacks the column that tells (`stop_reason`; `text`,
    or `empty` as a lab gives it)."""
    done = (frame["status"] == "done").to_numpy()
    found: dict[str, NDArray[np.bool_] | None] = dict.fromkeys(KINDS)
    if "stop_reason" in frame.columns:
        found["cut"] = done & (frame["stop_reason"] == "max_tokens").to_numpy(dtype=bool, na_value=False)
        found["refused"] = done & frame["stop_reason"].isin(REFUSED).to_numpy()
    if "empty" in frame.columns:
        found["empty"] = done & frame["empty"].to_numpy(dtype=bool, na_value=False)
    elif "text" in frame.columns:
        found["empty"] = done & (frame["text"].astype("str").fillna("").str.strip() == "").to_numpy()
    return found


def sentences(counts: Mapping[str, int], done: int) -> list[str]:
    """What there is of each kind among so many done answers, with the advice: a sentence each.

    >>> sentences({"cut": 82, "empty": 0, "refused": 1}, 180)[0]
    '82 of 180 answers ended at max_tokens: give a larger max_tokens, or tell the prompt to be short'
    """
    return [
        f"{share(kind, counts[kind], done)}: {SAID[kind][2]}" for kind in KINDS if counts.get(kind, 0) > 0
    ]


def share(kind: str, count: int, done: int) -> str:
    """How many are so, of how many.

    >>> share("empty", 1, 30)
    '1 of 30 answers is empty'
    """
    return f"{count:,} of {done:,} answer{'' if done == 1 else 's'} {SAID[kind][count != 1]}"


def of_summary(summary: pd.DataFrame) -> list[str]:
    """The sentences over all rows of a summary."""
    counts = {kind: int(summary[kind].fillna(0).sum()) for kind in KINDS}
    return sentences(counts, int(done(summary).sum()))


def done(summary: Any) -> Any:
    """How many answers of a summary's rows, or of one of them, are done."""
    return summary["n"] - summary["failed"] - summary["partial"] - summary["stopped"]
