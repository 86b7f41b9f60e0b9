"""What the stream of a run says: its events, in the JSON that the older workbench's own engine used.

It does not know how events are numbered, kept or sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from labkit.records import Generation


class StreamEvent(NamedTuple):
    """One event under its number in its run; `data` is JSON in ASCII."""

    number: int
    kind: str
    """`start token usage complete error end`."""
    data: str


class Said(NamedTuple):
    """An event that has no number yet."""

    kind: str
    data: str


def said(kind: str, run_id: str, model: str | None, **data: Any) -> Said:
    """The event of `kind` about `model` (None: about the whole run). What is None in `data` is left out.

    >>> said("start", "r1", "gpt-4o").data[:55]
    '{"type":"start","runId":"r1","modelId":"gpt-4o","timest'
    """
    event: dict[str, Any] = {"type": kind, "runId": run_id}
    if model is not None:
        event["modelId"] = model
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event["data"] = {"type": kind, **{name: value for name, value in data.items() if value is not None}}
    return Said(kind, dumped(event))


def dumped(value: Mapping[str, Any]) -> str:
    """JSON in ASCII, without a line end: whatever a text holds, no reader of the stream cuts it there."""
    return json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one model's answer ended."""

    text: str
    usage: Mapping[str, Any]
    done: bool
    finish: str | None = None
    error: str | None = None
    code: str | None = None

    @classmethod
    def of_generation(cls, row: Generation) -> Outcome:
        """From the row of the lab."""
        return cls(
            text=row.text or "",
            usage=_usage(row.input_tokens, row.output_tokens, row.cost_usd),
            done=row.status == "done",
            finish=row.stop_reason,
            error=row.error_message,
            code=row.error_type,
        )

    @classmethod
    def of_run(cls, run: Mapping[str, Any]) -> Outcome:
        """From a `PromptRun`."""
        return cls(
            text=run.get("output", ""),
            usage=_usage(run.get("inputTokens"), run.get("outputTokens"), run.get("cost")),
            done=run["status"] == "completed",
            finish=run.get("metadata", {}).get("stopReason"),
            error=run.get("error"),
        )

    def told(self, run_id: str, model: str) -> list[Said]:
        """The events that end the model's part of the stream. `usage` only where something of it is known."""
        usage = dict(self.usage)
        events = [said("usage", run_id, model, usage=usage)] if usage else []
        if self.done:
            events.append(
                said("complete", run_id, model, output=self.text, usage=usage, finishReason=self.finish)
            )
        else:
            error = self.error or "It was stopped before it was answered."
            events.append(said("error", run_id, model, error=error, code=self.code))
        return events


def whole(run_id: str, model: str, text: str) -> list[Said]:
    """The model's text anew, in one piece: `start` has readers drop what they had of it."""
    events = [said("start", run_id, model)]
    if text:
        events.append(said("token", run_id, model, token=text, index=0))
    return events


def end(run_id: str, runs: Sequence[Mapping[str, Any]] | None, reason: str | None) -> Said:
    """The last event. `runs` None: only this connection ends, for the `reason`; the run goes on."""
    return said("end", run_id, None, runs=runs, reason=reason)


def rebuilt(run_id: str, runs: Sequence[Mapping[str, Any]], last: int) -> list[StreamEvent]:
    """The stream of a run that is over, from its `PromptRun`s; its last event has the number `last`."""
    events = [
        one
        for run in runs
        for outcome in (Outcome.of_run(run),)
        for one in (
            *whole(run_id, run["modelId"], outcome.text),
            *outcome.told(run_id, run["modelId"]),
        )
    ]
    events.append(end(run_id, runs, None))
    first = max(1, last - len(events) + 1)
    return [StreamEvent(number, *one) for number, one in enumerate(events, first)]


def _usage(input_tokens: int | None, output_tokens: int | None, cost_usd: float | None) -> dict[str, Any]:
    total = None if input_tokens is None or output_tokens is None else input_tokens + output_tokens
    counts = {
        "promptTokens": input_tokens,
        "completionTokens": output_tokens,
        "totalTokens": total,
        "estimatedCost": cost_usd,
    }
    return {name: value for name, value in counts.items() if value is not None}
