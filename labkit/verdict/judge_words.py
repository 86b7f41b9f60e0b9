"""What is said of a score that a judge gave: whether people's labels correct it, what they were worth, who
judged, and what keeps it from being trusted.

It reads rows of `labkit.summary.pairwise` and what a lab tells of judges; it calculates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.summary import judge_notes
from labkit.summary.contender_table import BETWEEN, ContenderTable
from labkit.summary.corrected_pairs import ADVISED, CORRECTED, JUDGE, LABELS
from labkit.summary.scores import LEAST_LABELS
from labkit.verdict.amounts import about, counted, listed, number
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
TOLD_FROM = 0.05
"""From such a share of verdicts on that are not read it is told whose they are."""
FIRST_LABELS = 40
"""So many labels are proposed where there are none."""


def by_labels(row: Row) -> bool:
    """Whether a pair goes by labels, with a judge or alone."""
    return row.get("basis") in (CORRECTED, LABELS)


def over_labelled(row: Row) -> str:
    """Over how many samples a pair is compared that people labelled: " over 100 samples (30 labelled)"."""
    if row["basis"] == LABELS:
        return f" over {counted(row['labelled'], 'labelled sample')}"
    return f" over {counted(row['samples'], 'sample')} ({row['labelled']:,} labelled)"


def labels_settle(row: Row) -> str:
    """How many more labels may settle an undecided pair, as a sentence; empty where nothing can be said."""
    more = row["labels_needed"]
    if more is None or more != more or str(more) == "<NA>":
        return ""
    return f" About {about(int(more))} more labels would settle it."


def opposite(row: Row) -> str:
    """Said where the judge alone decides the opposite of what labels make of it."""
    return "The judge alone would have said the opposite." if row.get("judge_opposite") else ""


def lead(pairs: pd.DataFrame, *, judged: bool) -> str:
    """How far a headline by a judge's score may be trusted; empty where that differs between pairs."""
    if not judged:
        return ""
    kinds = set(pairs["basis"]) if "basis" in pairs.columns else {JUDGE}
    if len(kinds) != 1:
        return ""
    return {CORRECTED: "corrected by labels", LABELS: "labels alone", JUDGE: "uncorrected"}[kinds.pop()]


def notes(
    frame: pd.DataFrame,
    found: ContenderTable,
    pairs: pd.DataFrame,
    shown: Mapping[str, str],
    *,
    watched: bool,
) -> list[str]:
    """What is to be known of a judge's score: most important first. Nothing of another score."""
    judge = (frame.attrs.get("judges") or {}).get(found.scorer)
    labelled = (frame.attrs.get("labelled") or {}).get(found.scorer, {})
    said = _label_notes(found, pairs, labelled, watched=watched) if judge or labelled else []
    if judge is None:
        return said
    said += judge_notes.judge_notes({found.scorer: judge}, [found.scorer], labelled=[found.scorer])
    said += [*_unread(judge, found, shown), *_fooled(judge)]
    if kin := judge_notes.relatives(judge, [row["model"] for row in judge["of"]]):
        said.append(f"the judge is of the family of {listed(kin, most=3)}: it may favour its own kind")
    return said


def _label_notes(
    found: ContenderTable, pairs: pd.DataFrame, labelled: Mapping[str, Any], *, watched: bool
) -> list[str]:
    said = []
    kinds = list(pairs["basis"]) if "basis" in pairs.columns else []
    corrected = pairs[[kind == CORRECTED for kind in kinds]] if kinds else pairs.iloc[:0]
    if len(corrected):
        least, most = int(corrected["labelled"].min()), int(corrected["labelled"].max())
        samples = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        people = counted(labelled.get("people", 1), "person", "people")
        worth = [row for row in corrected["judged_worth"] if row == row]
        gain = f"; each judged row was worth {_worth(worth)} of a label" if worth else ""
        said.append(f"corrected by labels of {samples} samples that labkit drew, by {people}{gain}")
        if least < ADVISED:
            said.append(f"fewer than {ADVISED} labelled samples: what labels are worth is known roughly")
        if pairs["labels_needed"].notna().any():
            said.append(
                "more labels: with so many, a pair is settled with chance 0.8 if its true difference is the "
                "one seen"
            )
        if corrected["judge_blind"].any():
            said.append("the judge says the same of all answers, and tells none from another")
    if LABELS in kinds:
        said.append(
            f"with fewer than {LEAST_LABELS} labelled samples in common a judge cannot be corrected: such a"
            " pair goes by labels alone"
        )
    if found.judged and (not kinds or JUDGE in kinds):
        why = "the study was watched while it grew, which labels cannot allow for" if watched else ""
        ask = f"{FIRST_LABELS} labels would tell whether the judge is fair: run.label({quoted(found.scorer)})"
        said.append(f"uncorrected: {why if watched and labelled.get('drawn') else ask}")
    if labelled.get("chosen"):
        rows = counted(labelled["chosen"], "labelled row")
        were = "was" if labelled["chosen"] == 1 else "were"
        said.append(f"{rows} {were} chosen, not drawn: the judge is not corrected by what was chosen")
    return said


def _worth(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def _fooled(judge: Mapping[str, Any]) -> list[str]:
    """What came of the judge's controls, where it was asked about them."""
    rows = judge.get("check") or []
    fooled = [f"“{row['control'].strip('“”')}”" for row in rows if not row["right"]]
    if not fooled:
        return [f"the judge gave all {len(rows)} controls what they deserve"] if rows else []
    return [f"the judge was fooled by {len(fooled)} of {len(rows)} controls: {listed(fooled, most=3)}"]


def _unread(judge: Mapping[str, Any], found: ContenderTable, shown: Mapping[str, str]) -> list[str]:
    """Whose verdicts were not read, where these are many or one's more than another's."""
    counts: dict[str, list[int]] = {}
    for row in judge["of"]:
        name = BETWEEN.join(str(row[key]) for key in found.by)
        so_far = counts.setdefault(name, [0, 0])
        so_far[0] += row["unread"]
        so_far[1] += row["answers"]
    shares = {name: unread / answers for name, (unread, answers) in counts.items() if answers}
    if max(shares.values(), default=0.0) <= TOLD_FROM:  # then they lie no further apart either
        return []
    each = [
        f"{counts[name][0]:,} of {counts[name][1]:,} of {shown.get(name, name)}"
        for name, share in sorted(shares.items(), key=lambda one: -one[1])
        if share
    ]
    return [f"verdicts that were not read: {listed(each, most=3)}; that alone may bend the comparison"]
