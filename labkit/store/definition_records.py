"""The records only the store needs: definitions, as they are kept beside the answers.

Values and nothing else. It does not know how they are written, nor which of them a lab has already.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from labkit.records import Record


class PromptRecord(Record, frozen=True, kw_only=True):
    """One version of a prompt. `version` counts the distinct hashes kept under a name, from 1."""

    name: str
    version: int
    hash: str
    system: str | None
    text: str
    blocks: list[dict[str, Any]]
    """`{"name", "hash"}` of each block in front, in order, with `"cache": True` where it is marked; their
    texts are in `blocks`."""
    defaults: dict[str, Any]
    description: str | None
    created_at: datetime
    user: str | None = None
    steps: list[dict[str, Any]] | None = None
    """Of a chain, in order: `name`, `text`, `system`, `blocks`, `defaults` of each, and `read`, how its
    answer is read. `text` above then has all of them, for people."""


class BlockRecord(Record, frozen=True, kw_only=True):
    """A named piece of context, found by its hash."""

    hash: str
    name: str
    text: str
    created_at: datetime


class SampleRecord(Record, frozen=True, kw_only=True):
    """One row of a dataset. `dataset` is the dataset's hash, `position` the row's place in it."""

    dataset: str
    dataset_name: str
    position: int
    sample_id: str
    fields: dict[str, Any]


class ModelRecord(Record, frozen=True, kw_only=True):
    """A model as it was when a run used it: endpoint, limits and prices at that moment."""

    model: str
    provider: str
    name: str
    dialect: str
    endpoint: str | None
    label: str | None
    params: dict[str, Any]
    context_window: int | None
    max_output: int | None
    capabilities: list[str]
    prices: dict[str, Any] | None
    """What the pricer said: USD per million tokens, the price's id and its date."""
    taken_at: datetime
    run_id: str | None = None


class ReceivedRecord(Record, frozen=True, kw_only=True):
    """A piece of another machine's lines that was brought into this lab. What they reach to without a gap is
    how far the lab has them: pieces may be lost with a file."""

    sender: str
    """The identity of the other machine's lab."""
    workspace: str
    after: int
    upto: int
    """Its lines behind the first number, up to the second."""


Preferred = Literal["left", "right", "tie", "neither", "skip"]
"""What a rater says of a pair."""


class RatingRecord(Record, frozen=True, kw_only=True):
    """A person's blind preference between two generations, left and right as they were shown. The table only
    grows: the latest row of a rating holds, and one that is `withdrawn` takes it back."""

    rating_id: str
    left_id: str
    right_id: str
    preferred: Preferred
    rated_at: datetime
    user: str | None = None
    comment: str | None = None
    workspace: str | None = None
    arena: str | None = None
    """What was rated together: a hash of the dataset, what was compared, and the seed."""
    drawn: Literal["rule", "again", "turned"] | None = None
    """By the rule for the next pair; `again`, since another rater saw it; `turned`, the rater's own with its
    sides exchanged."""
    chance: float | None = None
    """With which its two contenders were drawn."""
    took_s: float | None = None
    """From when it was shown."""
    peeked: bool = False
    """Whether the rater had seen the standing."""
    masked: int = 0
    """How many names were masked in the two answers."""
    withdrawn: bool = False


class LabelRecord(Record, frozen=True, kw_only=True):
    """What a person says of an answer, in place of a judge. The table only grows: the latest of one person on
    one answer holds, and one that is `withdrawn` takes the earlier back."""

    label_id: str
    generation_id: str
    scorer: str
    """The score that it is a value of."""
    grade: str | None
    value: float | None
    """None: the person cannot tell."""
    labelled_at: datetime
    user: str | None = None
    draw: str | None = None
    """The seed by which labkit drew the sample; None: its row was chosen by hand."""
    chance: float | None = None
    """With which the sample was drawn; None: it was chosen."""
    comment: str | None = None
    withdrawn: bool = False


Outcome = Literal["worse", "not shown to be worse", "cannot tell"]
"""What a sentinel says of a night."""


class BaselineRecord(Record, frozen=True, kw_only=True):
    """Answers that somebody accepted as what a sentinel holds later ones against."""

    baseline_id: str
    sentinel: str
    workspace: str
    baseline: str
    """Its name. The latest of a name holds."""
    run_ids: list[str]
    """The runs whose answers it is."""
    answers_each: int
    """The fewest answers that a row has on a prompt and model."""
    content: dict[str, str]
    """Hashes of its answers (under `answers`) and of each of its scores (`score.<name>`)."""
    forced: bool
    """Whether it was accepted although its runs were not fresh, not finished or too few."""
    why: str | None
    accepted_at: datetime
    user: str | None = None


class CheckRecord(Record, frozen=True, kw_only=True):
    """What a sentinel found when it checked a run. The latest of a run holds."""

    check_id: str
    sentinel: str
    workspace: str
    run_id: str
    again_run_id: str | None
    """The run in which the same rows were asked once more; None: they were not."""
    baseline_id: str | None
    baseline: str | None
    outcome: Outcome
    sentences: list[str]
    notes: list[str]
    findings: list[dict[str, Any]]
    """One by prompt, model and metric: the fields of `labkit.sentinel.finding.Finding`."""
    alarms: list[dict[str, Any]]
    """What stands after it: the fields of `labkit.sentinel.alarms.Alarm`."""
    settings: dict[str, Any]
    """Margins, the false-alarm budget, the levels chosen by it."""
    asked_at: datetime
    """When the run was started."""
    checked_at: datetime
    user: str | None = None


class NoticeRecord(Record, frozen=True, kw_only=True):
    """What somebody was told of a sentinel."""

    notice_id: str
    sentinel: str
    workspace: str
    check_id: str
    outcome: Outcome
    channel: Literal["webhook", "command"]
    error: str | None
    """Why it was not taken; None: it was."""
    sent_at: datetime
