"""A scorer, or a callback, of a person's that fails, at the first and at the last answer: F27."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk

ROWS = [{"id": str(number), "n": str(number)} for number in range(12)]


@pytest.mark.parametrize("where", ["first", "last", "every"])
def test_a_failing_scorer_costs_no_answer(
    where: str, lab: lk.Lab, channel: Any, asked: Callable[[Any], list[str]]
) -> None:
    """F27: the run ends as ever, the other scores stand, the row that failed says why, and scoring again
    with a mended scorer is free, by the server's account."""
    count = 0

    def fragile(generation: Any, sample: Any) -> float:
        nonlocal count
        count += 1
        if where == "every" or count == {"first": 1, "last": 12}[where]:
            raise ZeroDivisionError(f"no score for {generation.sample_id}")
        return 1.0

    plan = lab.plan(
        prompts=["Say {{ n }}."],
        models=[channel.model()],
        dataset=ROWS,
        scorers=[fragile, lk.contains("n")],
    )
    run = plan.run()
    assert run.status == "finished"
    assert len(asked(channel)) == 12
    frame = run.generations()
    assert set(frame["status"]) == {"done"}
    assert frame["score.contains"].notna().all()
    failed = lab.sql("select s.*, g.sample_id from scores s join generations g using (generation_id) "
                     "where error is not null")  # fmt: skip
    assert len(failed) == (12 if where == "every" else 1)
    for row in failed.itertuples():
        assert "ZeroDivisionError" in row.error
        assert f"no score for {row.sample_id}" in row.error
        assert row.value != row.value, "a score that failed is not 0"

    def mended(generation: Any, sample: Any) -> float:
        return 0.5

    mended.__name__ = "fragile"
    assert run.score(mended)["score.fragile"].tolist() == [0.5] * 12
    assert len(asked(channel)) == 12


def test_a_failing_watcher_stops_nothing(
    lab: lk.Lab, channel: Any, asked: Callable[[Any], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F27: what only looks on may fail at the first event; the run asks everything and keeps everything."""
    from labkit.widgets.progress import Progress

    def failing(*_: Any) -> None:
        raise RuntimeError("the picture is broken")

    for event in ("queued", "sent", "ended"):
        monkeypatch.setattr(Progress, event, failing)
    run = lab.plan(prompts=["Say {{ n }}."], models=[channel.model()], dataset=ROWS).run()
    assert set(run.generations()["status"]) == {"done"}
    assert len(asked(channel)) == 12
