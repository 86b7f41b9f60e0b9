"""The values that travel between the floors, and the protocols by which floors meet.

All values are frozen; change is `msgspec.structs.replace`. A field has the name of its column in
DuckDB, of its column in frames and of its label in charts, and carries its unit as a suffix.
They stand in one place since they are one vocabulary: what a column is called is looked for here. This
module does no I/O, reads no clock, and does not know where ids come from (see `identity`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from labkit import nearest

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["done", "failed", "partial", "stopped"]
StopReason = Literal[
    "stop", "max_tokens", "stop_sequence", "tool_calls", "refusal", "content_filter", "unknown"
]
Message = dict[str, Any]
"""One turn: `{"role": "system" | "user" | "assistant", "content": text or list of parts}`."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value with named fields."""


class Usage(Record, frozen=True, kw_only=True):
    """Token counts as the provider reported them; None means: not reported, or not to be believed.

    Input and output are totals: input includes what was read from and written to a cache, output
    includes reasoning. A part larger than its whole is refused.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    doubt: str | None = None
    """Why a total that was reported is None here; None where none was."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name.endswith("_tokens") and value is not None and value < 0:
                raise ValueError(f"{name} is {value}; a count cannot be negative")
        cached = (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)
        if self.input_tokens is not None and cached > self.input_tokens:
            raise ValueError(f"{cached} cached tokens are more than {self.input_tokens} input tokens")
        reasoning = self.reasoning_tokens or 0
        if self.output_tokens is not None and reasoning > self.output_tokens:
            raise ValueError(f"{reasoning} reasoning tokens are more than {self.output_tokens} output tokens")


class Request(Record, frozen=True, kw_only=True):
    """What is sent: everything that decides the answer, and its hash."""

    request_id: str
    provider: str
    dialect: str
    endpoint: str
    """The endpoint's identity: normalised base URL; for `local` weights, template, context and runtime."""
    model: str
    """labkit's id, `provider/name`."""
    name: str
    """The model's name as the provider is asked for it."""
    messages: tuple[Message, ...]
    params: dict[str, Any]


class Cell(Record, frozen=True, kw_only=True):
    """One place in a design: which prompt on which model with which sample, and which asking of it."""

    generation_id: str
    run_id: str
    experiment: str
    workspace: str
    prompt: str
    prompt_version: int | None
    model: str
    provider: str
    sample_id: str
    repeat: int
    request_id: str
    draw: int
    parent_id: str | None = None
    """Of a chain's step, the generation of the step before it; of a judge's, the one that is judged."""
    step: int = 0
    """Of a chain's step, which it is, from 1; 0: the cell is no step."""
    step_name: str | None = None
    user: str | None = None


class Intent(Record, frozen=True, kw_only=True):
    """Written before a request is sent: after a kill it tells what may have been paid for."""

    run_id: str
    generation_id: str
    attempt: int
    sent_at: datetime
    reserved_usd: float | None
    """The worst case that the budget holds for it; None where the price is not known."""
    call_id: int | None = None
    """What the intents, attempts and answer of one asking of a cell have in common; None in older rows."""


class Attempt(Record, frozen=True, kw_only=True):
    """One HTTP request that was sent for a generation."""

    run_id: str
    generation_id: str
    attempt: int
    """1 for the first."""
    sent_at: datetime
    latency_s: float
    status_code: int | None
    error_type: str | None
    error_message: str | None
    retry_after_s: float | None
    """What the provider asked for."""
    wait_s: float | None
    """How long labkit then waited before the next attempt; None after the last."""
    maybe_paid: bool
    provider_request_id: str | None
    call_id: int | None = None


class Generation(Record, frozen=True, kw_only=True):
    """One cell, answered or failed: the main row. Fields stand in the order of the table's columns."""

    generation_id: str
    run_id: str
    experiment: str
    workspace: str
    prompt: str
    prompt_version: int | None
    model: str
    provider: str
    sample_id: str
    repeat: int
    status: Status
    text: str | None = None
    stop_reason: StopReason | None = None
    error_type: str | None = None
    error_message: str | None = None
    started_at: datetime | None = None
    """When the last attempt was sent (UTC)."""
    queue_s: float | None = None
    """Waiting for a slot, before the first attempt."""
    first_event_s: float | None = None
    """Sent to the first event of any kind (last attempt)."""
    ttft_s: float | None = None
    """Sent to the first visible text (last attempt)."""
    latency_s: float | None = None
    """Sent to stream closed (last attempt)."""
    retry_s: float | None = None
    """All earlier attempts and their backoff."""
    attempts: int = 0
    in_flight: int | None = None
    """Requests in flight at the endpoint when this one was sent, itself included."""
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    price_id: str | None = None
    """The price used, or `unknown: why` where `cost_usd` is NULL for want of one."""
    maybe_paid: int = 0
    """Attempts that may have been charged for without giving this answer."""
    replayed_from: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    request_id: str
    raw: str | None = None
    draw: int = 0
    parent_id: str | None = None
    """Of a step, the step before it; of a chain, its last step; of a judge's verdict, what is judged."""
    step: int = 0
    """Of a chain's step, which it is, from 1; 0: an answer to a prompt, or of a whole chain."""
    user: str | None = None
    step_name: str | None = None
    steps: int | None = None
    """Of a chain, how many steps it sums up: `text` is the last one's, cost and clocks are theirs
    together."""
    failed_step: str | None = None
    """Of a chain, the step that has no answer, or one that cannot be read; None: none failed."""
    call_id: int | None = None
    """The asking that it is the answer of, as its intents and attempts have it; None: nothing was asked for
    it, as of a replay or a whole chain, or it is an older row. However often that answer was collected, it
    is counted once."""

    def __getattr__(self, name: str) -> Any:
        told = f"a generation has no {name!r:.80}"
        if not name.startswith("_"):
            near = nearest.by_likeness(name, self.__struct_fields__)[:3]
            told += f"; its answer is generation.text, and the nearest names: {', '.join(near)}"
        raise AttributeError(told, name=name, obj=self)

    def __repr__(self) -> str:
        shown = self.text if self.text is not None else self.error_message
        return f"Generation({self.model}, {self.prompt}, {self.sample_id}, {self.status}: {shown!r:.80})"

    def _repr_html_(self) -> str:
        where = f"{self.model} · {self.prompt} · {self.sample_id} · {self.status}"
        told = self.text if self.text is not None else self.error_message or ""
        return f"<div><b>{escape(where)}</b><pre style='white-space:pre-wrap'>{escape(told)}</pre></div>"


class Score(Record, frozen=True, kw_only=True):
    """A value for a generation. `value` None means: not scored, which is not 0."""

    generation_id: str
    scorer: str
    value: float | None
    scored_at: datetime
    explanation: str | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None
    low: float | None = None
    """The lowest value the scorer can give, as declared; None: not declared."""
    high: float | None = None
    step: float | None = None
    """Between two neighbouring values, as declared."""


class Answer(Record, frozen=True, kw_only=True):
    """How a finished answer ended. Its text went to the listener while it came."""

    stop_reason: StopReason
    usage: Usage
    response_model: str | None = None
    response_id: str | None = None
    raw: str | None = None
    """The provider's last payload, as JSON text."""


class Sample(Record, frozen=True, kw_only=True):
    """One row of a dataset. A column is `sample["label"]`, or `sample.label` where that is a plain word.

    `id`, `fields` and `values` are the sample's own; columns of these names are had by `sample["values"]`.
    A cell that is empty is None. A column that is not there raises `KeyError`, or `AttributeError`, naming
    those that are.

    >>> sample = Sample(id="t01", fields={"text": "A joy to use.", "label": "positive"})
    >>> sample["label"], sample.label, sample["id"], "target" in sample
    ('positive', 'positive', 't01', False)
    """

    id: str
    fields: dict[str, Any]
    """Every column, `target` included where there is one; `id` only where it is not the identity."""

    def __getitem__(self, column: str) -> Any:
        try:
            return self.fields[column]
        except KeyError:
            if column == "id":
                return self.id
            raise KeyError(self._lacking(column)) from None

    def __getattr__(self, column: str) -> Any:
        # Who looks for special methods (pickle, copy, IPython) is never given a column.
        if column.startswith("_") or column not in self.fields:
            raise AttributeError(self._lacking(column), name=column, obj=self)
        return self.fields[column]

    def __contains__(self, column: object) -> bool:
        return column in self.fields or column == "id"

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def _lacking(self, column: object) -> str:
        return f"there is no column {column!r:.80}; columns: {nearest.listed(column, self.fields)}"

    @property
    def values(self) -> dict[str, Any]:
        """What a prompt may name: the fields, `row` for all of them, and `id`."""
        return {"id": self.id, "row": self.fields, **self.fields}


RunKind = Literal["plan", "judge", "reask"]


class RunRecord(Record, frozen=True, kw_only=True):
    """One launch of a plan, as it is written when it starts."""

    run_id: str
    plan_id: str
    experiment: str
    workspace: str
    fresh: bool
    cells: int
    dataset: str = ""
    """The hash of the dataset its samples are kept under."""
    started_at: datetime
    user: str | None
    provenance: dict[str, Any]
    """Versions of labkit, Python and SDKs, git commit and dirty flag, notebook, host, prices, seed."""
    kind: RunKind = "plan"
    """`judge`: what it asks are verdicts on the answers of another run; `reask`: the same as another run,
    once more, to see whether the answers stay as they are."""
    parent_run_id: str | None = None
    """Of these, the other run."""


class RunEvent(Record, frozen=True, kw_only=True):
    """Something that happened to a run: `started`, `resumed`, `unfounded` (stored answers were not replayed,
    since they do not match their requests), `stopped`, `finished` or `failed`."""

    run_id: str
    event: str
    at_time: datetime
    detail: dict[str, Any] | None = None


class Listener(Protocol):
    """Hears an answer while it comes in. Called on labkit's loop; must not block."""

    def opened(self, headers: Mapping[str, str]) -> None:
        """The response's head arrived."""

    def event(self) -> None:
        """Something arrived that is no visible text (a role, a ping)."""

    def thought(self, delta: str) -> None:
        """More reasoning, which is no part of the text."""

    def text(self, delta: str) -> None:
        """More visible text."""


class Sink(Protocol):
    """Where the engine puts what it learns. Never blocks; calls `stored` once the row is on disk."""

    def intent(self, intent: Intent) -> None: ...

    def attempt(self, attempt: Attempt) -> None: ...

    def generation(self, generation: Generation, stored: Callable[[], None]) -> None: ...


class Watcher(Protocol):
    """Sees a run while it goes: the grid and the progress line. Called on labkit's loop; must not block.

    One whose `keeps_text` is false is not told the text while it comes.
    """

    def planned(self, total: Mapping[str, int], settled: Mapping[str, int]) -> None:
        """Cells per model: of the whole run, and of those how many an earlier launch of it settled."""

    def queued(self, cell: Cell) -> None: ...

    def sent(self, cell: Cell, attempt: int) -> None: ...

    def text(self, cell: Cell, delta: str) -> None: ...

    def waiting(self, cell: Cell, seconds: float, why: str) -> None: ...

    def ended(self, generation: Generation) -> None:
        """The generation is on disk; of a chain each step, then the whole (`steps` says how many it has)."""

    def scored(self, score: Score) -> None:
        """An answer has a value."""


class Generations(Protocol):
    """What charts and widgets take instead of a frame: anything that can give its generations."""

    def generations(self, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per generation; only these `columns` (`sample.*`, `score.*`: all of those), or all."""
