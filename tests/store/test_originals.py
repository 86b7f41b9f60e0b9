"""labkit.store.originals: the clocks of first askings, whatever run they are of, in one query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.store import originals

ROWS = [{"text": text} for text in "abc"]


@pytest.fixture
def plan(tmp_path: Path) -> lk.Plan:
    """Three questions to an echo."""
    echo = lk.Model(
        "scripted/echo", client=lk.Script(lambda request: request.messages[-1]["content"], version="1")
    )
    return lk.Lab(tmp_path / "lab.duckdb").plan(prompts=["{{ text }}"], models=[echo], dataset=ROWS)


def test_a_frame_of_fresh_answers_has_no_columns_of_first_askings(plan: lk.Plan) -> None:
    """Nor where they are asked for alone."""
    run = plan.run(progress="none")
    assert not [name for name in run.generations().columns if name.startswith("first.")]
    assert run.generations(columns=["first.*"]).shape == (3, 0)


def test_replays_have_the_clocks_of_their_originals_and_answers_their_own(plan: lk.Plan) -> None:
    """A frame of two runs, in the order of its rows, also where rows are chosen and cut."""
    first = plan.run(progress="none").generations().set_index("generation_id")
    plan.run(progress="none")
    store = plan.services.store
    for found in (
        store.generations(),
        store.generations(limit=4, columns=["replayed_from", "generation_id", "first.*", "latency_s"]),
        store.generations(status="done", since="2000-01-01"),
    ):
        asked = found["replayed_from"].fillna(found["generation_id"])
        assert found["first.generation_id"].tolist() == asked.tolist()
        for name in ("latency_s", "ttft_s", "in_flight"):
            assert found[f"first.{name}"].tolist() == first.loc[asked, name].tolist()
        assert found.loc[found["replayed_from"].notna(), "latency_s"].isna().all()
    assert str(found["first.in_flight"].dtype) == "Int64"


def test_originals_are_looked_up_once_a_frame_and_not_where_nothing_was_replayed(
    plan: lk.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows there are."""
    heard: list[int] = []
    real = originals.clocks

    def clocks(*given: Any) -> Any:
        found = real(*given)
        heard.append(len(found))
        return found

    monkeypatch.setattr(originals, "clocks", clocks)
    for _ in range(3):
        plan.run(progress="none")
        plan.services.store.generations(columns=["latency_s", "first.*"])
    assert heard == [3, 6]
