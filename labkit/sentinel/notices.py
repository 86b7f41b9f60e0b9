"""Telling people that a sentinel's state changed: once, and once a week while it stays worse.

What they know is what a channel took; one that failed is tried again at the next check. It does not know how
a state came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from socket import gethostname

from labkit.identity import new_run_id
from labkit.run import Run
from labkit.sentinel.channels import Channel, channels, deliver
from labkit.sentinel.check import Check
from labkit.sentinel.check_history import keep
from labkit.sentinel.message import message
from labkit.sentinel.night_findings import drop
from labkit.sentinel.rows import of
from labkit.store import Store
from labkit.store.definition_records import CheckRecord, NoticeRecord
from labkit.visible import visible

REMINDER = timedelta(days=6.5)
"""After so long of being worse it is said again: once a week, though a night begins a little earlier."""
_TAKEN = """
    select outcome, sent_at from notices
    where workspace = ? and sentinel = ? and channel = ? and error is null
"""


def last_told(
    store: Store, *, workspace: str, sentinel: str, channel: Channel
) -> tuple[str, datetime] | None:
    """The outcome that a channel last took, and when; None: nobody was told anything by it."""
    taken = store.table(_TAKEN, [workspace, sentinel, channel]).to_pylist()
    return (taken[-1]["outcome"], taken[-1]["sent_at"]) if taken else None


def tell(
    made: Check,
    record: CheckRecord,
    rows: Sequence[tuple[str, str | None]],
    store: Store,
    *,
    command: Sequence[str] | None,
) -> list[str]:
    """Tell people where the state is another than they know, or worse for a week; what became of it, in
    words. `rows` are the worst, with their texts where these are wanted."""
    said = []
    for channel in channels(command):
        last = last_told(store, workspace=made.workspace, sentinel=made.sentinel, channel=channel)
        known = "not shown to be worse" if last is None else last[0]
        # A clock that was set back by more than that must not silence it.
        again = last is not None and made.outcome == "worse" and abs(record.checked_at - last[1]) >= REMINDER
        if made.outcome == known and not again:
            continue
        body = message(
            made.sentinel,
            made.outcome,
            None if last is None else last[0],
            made.sentences,
            made.notes,
            rows,
            where=f"run {made.run_id}, {'/'.join(store.path.absolute().parts[-2:])} on {gethostname()}",
        )
        (delivery,) = deliver(body, command=command, to=channel)
        called = f"command {visible(Path(command[0]).name)}" if command and channel == "command" else channel
        keep(
            store,
            NoticeRecord(
                notice_id=new_run_id(),
                sentinel=made.sentinel,
                workspace=made.workspace,
                check_id=record.check_id,
                outcome=made.outcome,
                channel=delivery.channel,
                error=delivery.error,
                sent_at=record.checked_at,
            ),
        )
        if delivery.error is None:
            said.append(f"message given to the {called}")
        else:
            said.append(f"message not given to the {called}: {delivery.error} The next check tries again.")
            print(f"labkit: {said[-1]}", flush=True)
    return said


def worst_rows(made: Check, run: Run, *, texts: bool) -> list[tuple[str, str | None]]:
    """The rows of the finding that is worst, with tonight's answers where these are wanted."""
    worse = sorted((one for one in made.findings if one.said == "worse"), key=drop, reverse=True)
    if not worse:
        return []
    if not texts:
        return [(row, None) for row in worse[0].rows]
    frame = run.generations(columns=["prompt", "model", "sample_id", "text"])
    answers = of(frame, (worse[0].prompt, worse[0].model)).groupby("sample_id")["text"].first()
    return [(row, str(answers.get(row) or "")) for row in worse[0].rows]
