"""labkit.summary.first_asking: which clocks count for each row, and when they were measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from labkit.summary.first_asking import first_askings
from labkit.summary.summarize import summarize


def _rows(askings: list[tuple[int, bool]], *, named: bool = True) -> pd.DataFrame:
    """Rows of (number of the asking, whether it is a replay); asking 3 took 3 seconds."""
    frame = pd.DataFrame(
        {
            "status": "done",
            "model": [f"m{number % 2}" for number, _ in askings],
            "sample_id": [f"s{number}" for number, _ in askings],
            "generation_id": [f"r{place}" if again else f"g{n}" for place, (n, again) in enumerate(askings)],
            "replayed_from": pd.Series([f"g{n}" if again else None for n, again in askings], dtype="str"),
            "latency_s": [np.nan if again else float(n) for n, again in askings],
            "output_tokens": 10,
            "started_at": [pd.Timestamp("2026-11-20", tz="UTC") + pd.Timedelta(n, "D") for n, _ in askings],
        }
    )
    if named:
        frame["first.generation_id"] = [f"g{number}" for number, _ in askings]
        frame["first.latency_s"] = [float(number) for number, _ in askings]
    return frame


ASKINGS = st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=30)


@given(ASKINGS)
def test_each_asking_counts_once_in_a_group_and_as_itself_where_it_is_there(askings: Any) -> None:
    """However many replays of it a frame has, in whatever order; the answer counts before its replays."""
    frame = _rows(askings).drop_duplicates(["generation_id"]).reset_index(drop=True)
    found = first_askings(frame, ["model"])
    counted = frame[found.timed]
    assert sorted(counted["first.generation_id"]) == sorted(set(frame["first.generation_id"]))
    there = set(frame.loc[frame["replayed_from"].isna(), "generation_id"])
    assert set(counted.loc[counted["replayed_from"].notna(), "replayed_from"]) & there == set()
    table = summarize(frame, by="model")
    for row in table.to_dict("records"):
        once = {int(n) for n in frame.loc[frame["model"] == row["model"], "first.latency_s"]}
        assert row["latency_n"] == len(once)
        assert row["latency_p50_s"] == np.median(list(once))


@given(ASKINGS)
def test_a_frame_of_fresh_answers_is_read_as_it_is(askings: Any) -> None:
    """Without replays the columns of first askings change nothing."""
    fresh = [(number, False) for number, _ in askings]
    for named in (True, False):
        assert first_askings(_rows(fresh, named=named)).timed.all()


def test_a_replay_without_the_clocks_of_its_first_asking_is_left_out_and_said() -> None:
    """A frame of other columns knows no clock of it: the note says so, and nothing is marked."""
    frame = _rows([(1, False), (2, True)], named=False)
    assert first_askings(frame).timed.tolist() == [True, False]
    said = repr(summarize(frame, by="model"))
    assert "of fresh answers only; the frame has no clocks of those that were replayed" in said
    assert "*" not in said


def test_frames_of_several_runs_put_together_count_each_asking_once() -> None:
    """A run that was asked has no `first.*`; beside its replay it is known by its own id."""
    together = pd.concat([_rows([(1, False), (2, False)], named=False), _rows([(2, True), (3, True)])])
    found = first_askings(together.reset_index(drop=True))
    assert found.timed.tolist() == [True, True, False, True]
    assert found.latency_s.tolist() == [1, 2, 2, 3]
    assert found.told() == "of 3 answers 2 measured 2026-11-21 to 2026-11-22, 1 when first asked, 2026-11-23"


def test_a_day_on_which_all_were_measured_is_said_once() -> None:
    """Answers and replays of one day; where the days differ both are told."""
    asked = _rows([(1, False), (1, False), (1, True)])
    asked["generation_id"] = list("abc")
    asked["first.generation_id"] = list("abd")
    assert first_askings(asked).told() == "measured 2026-11-21, 1 of 3 answers when first asked"
