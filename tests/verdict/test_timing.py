"""labkit.verdict.timing: what is said of time, and of when scores and prices were asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import labkit as lk
from labkit.verdict import verdict

A, B, C = "x/A", "x/B", "x/C"


@pytest.fixture
def scores(ones):
    """A hundred scores of each of two."""
    return {A: ones(0.5, 100, seed=1), B: ones(0.7, 100, seed=2)}


def test_other_days_are_not_compared(frame, scores):
    """Both times are told, to the minute, and no ratio."""
    found = verdict(frame(scores, latency_s={A: 1, B: 0.4}, days={A: "2026-11-20T09:10"}))
    assert found.sentences[0].endswith(
        "Their latencies come from different times (2026-11-23 00:00 to 00:01 UTC against 2026-11-20 09:10 "
        "to 09:11 UTC) and are not compared."
    )
    assert "took" not in found.sentences[0]


def test_other_seconds_are_told_apart_by_seconds(frame, scores):
    """Where the minute is the same, as of two parts of a run that lasted 10 s."""
    given = frame(scores, latency_s={A: 1, B: 0.4}, spread=0.01)
    given["started_at"] = pd.Timestamp("2026-11-23 04:26:00", tz="UTC")
    given.loc[given["model"] == A, "started_at"] += pd.Timedelta(seconds=9)
    assert "(2026-11-23 04:26:00 UTC against 2026-11-23 04:26:09 to 04:26:10 UTC)" in str(verdict(given))


@pytest.mark.parametrize("several", [False, True])
def test_that_a_run_was_stopped_or_grown_is_told_as_the_reason(frame, scores, several):
    """Why the answers of one run come from different times, where it says so; not of another run's clocks."""
    given = frame(scores | ({C: scores[A]} if several else {}), days={A: "2026-11-20T09:10"})
    for told, reason in (
        ({"resumed": 1, "grown": {"rows": 0, "others": 1}}, "the run was stopped and resumed"),
        ({"resumed": 0, "grown": {"rows": 0, "others": 1}}, "models or repeats were added later"),
    ):
        given.attrs |= told
        assert reason in str(verdict(given))
    old = frame(scores, days={A: "2026-11-20T09:10"}, replayed=[A], first=True)
    old.attrs["resumed"] = 1
    assert "are not compared" in str(verdict(old))
    assert "stopped and resumed" not in str(verdict(old))


def test_other_hours_of_one_day_are_not_compared(frame, scores):
    """The calendar date says nothing of it."""
    found = verdict(frame(scores, latency_s={A: 1, B: 0.4}, days={A: "2026-11-23T17:00"}))
    assert "2026-11-23 17:00 to 17:01 UTC" in found.sentences[0]
    assert "took" not in found.sentences[0]


def test_other_concurrency_and_another_machine_stand_beside_the_ratio(frame, scores):
    """They were timed together, but under other conditions."""
    found = verdict(frame(scores, latency_s={A: 1, B: 0.4}, in_flight={A: 2, B: 16}))
    assert (
        "but they were timed under different conditions (16 against 2 requests in flight), "
        "which alone may explain it" in found.sentences[0]
    )
    local = verdict(frame({"local/a": scores[A], "openai/b": scores[B]}, latency_s={"local/a": 5}))
    assert "(one runs inside labkit, the other is asked over HTTP)" in local.sentences[0]


def test_latencies_that_hang_together_in_time_are_refused(frame, ones):
    """A slow wave over a run of fifty samples: the sentence says why there is no ratio."""
    rows = frame({A: ones(0.5, 50, seed=1), B: ones(0.7, 50, seed=2)}, spread=0.1)
    wave = np.where(rows["model"] == A, np.sin(np.arange(len(rows)) / 7), 0.0)
    found = verdict(rows.assign(latency_s=rows["latency_s"] * np.exp(wave)))
    assert found.sentences[0].endswith(
        "Their latencies are not compared: those of about the same time resemble one another, perhaps by "
        "chance, and 50 of each are too few to allow for that."
    )


def test_instant_models_are_not_told_apart(frame, scores):
    """Twice as long, but both within labkit's own time: the note says how much that is."""
    found = verdict(frame(scores, latency_s={A: 0.004, B: 0.002}))
    assert "Their latencies are not shown to differ" in found.sentences[0]
    assert any("differences below 10 ms are labkit's own" in note for note in found.notes)


def test_a_wave_within_labkits_own_time_refuses_nothing(frame, ones):
    """Latencies of 0.3 s that drift by two milliseconds are the same, and that is what is said."""
    rows = frame({A: ones(0.5, 50, seed=1), B: ones(0.7, 50, seed=2)})
    wave = np.where(rows["model"] == A, np.sin(np.arange(len(rows)) / 7), 0.0)
    found = verdict(rows.assign(latency_s=0.3 + 0.002 * wave))
    assert "Their latencies are not shown to differ (0.96× to 1.04×)." in found.sentences[0]


def test_without_any_latency_the_note_says_why(frame, scores):
    """Replays, nothing done, and clocks that are not known are three reasons."""
    told = "all answers are replays, and the frame has no clocks of their first asking"
    assert f"{told}, so no latency: x/A" in verdict(frame(scores, replayed=[A])).notes
    replayed = verdict(frame(scores, replayed=[A, B]))
    assert "time" not in replayed.sentences[0]
    assert f"{told}, so latencies are not compared" in replayed.notes
    unknown = verdict(frame(scores, latency_s={A: None, B: None}))
    assert "no latency is known, so latencies are not compared" in unknown.notes
    undone = frame(scores).assign(status="partial")
    assert "no answer is done, so latencies are not compared" in verdict(undone).notes


def test_replays_are_compared_by_the_clocks_of_their_first_asking(frame, scores):
    """A run of replays says of time what the run said whose answers they are, and when that was."""
    asked = verdict(frame(scores, latency_s={A: 1, B: 0.4}))
    again = verdict(frame(scores, latency_s={A: 1, B: 0.4}, replayed=[A, B], first=True))
    assert "x/B took" in asked.sentences[0]
    assert again.sentences == asked.sentences
    assert any(note.startswith("latencies: measured when first asked, on 2026-11-23") for note in again.notes)


def test_first_askings_of_another_time_are_not_compared(frame, scores):
    """What was asked now and what was asked three days ago shared no hour; other conditions are told."""
    study = {"latency_s": {A: 1, B: 0.4}, "first": True}
    apart = verdict(frame(scores, replayed=[A], days={A: "2026-11-20T09:10"}, **study))
    assert (
        "Their latencies come from different times (2026-11-23 00:00 to 00:01 UTC against 2026-11-20"
        in (apart.sentences[0])
    )
    assert any(
        note.startswith(
            "latencies: of 200 answers, 100 of them replays measured when first asked, from 2026-11-20"
        )
        for note in apart.notes
    )
    busy = verdict(
        frame(scores, latency_s={A: 1, B: 0.4}, in_flight={A: 2, B: 16}, replayed=[A, B], first=True)
    )
    assert "16 against 2 requests in flight" in busy.sentences[0]


def test_replays_of_another_day_are_named_for_scores_and_prices(frame, scores):
    """How many, whose, and of when; not where all were asked on the same days."""
    found = verdict(frame(scores, replayed=[A], days={A: "2026-11-20"}))
    assert "100 answers of x/A are replays, asked on 2026-11-20 (UTC): scores and prices are of then" in (
        found.notes
    )
    same = verdict(frame(scores, replayed=[A]))
    assert not any("scores and prices are of then" in note for note in same.notes)


def test_many_with_replays_of_another_day_are_counted(frame, ones):
    """Seven contenders are one note."""
    models = {f"x/m{i}": ones(0.5, 20, seed=i) for i in range(8)}
    days = {f"x/m{i}": f"2026-11-1{i}" for i in range(7)}
    found = verdict(frame(models, replayed=list(days), days=days))
    said = [note for note in found.notes if "of then" in note]
    assert said == [
        "140 answers of 7 contenders are replays, asked from 2026-11-10 to 2026-11-16 (UTC): "
        "scores and prices are of then"
    ]


def test_a_pause_in_the_middle_of_a_run_is_no_other_time(frame, scores):
    """A run that was stopped and went on the next day was timed on both days, for all of them."""
    rows = frame(scores, latency_s={A: 1, B: 0.4})
    later = rows["sample_id"] >= "s0050"
    rows["started_at"] = rows["started_at"] + pd.to_timedelta(later * 24, unit="h")
    assert "x/B took 0.40× the time" in verdict(rows).sentences[0]


def test_two_instant_models_of_one_run_are_not_told_apart(tmp_path):
    """Asked in waves, one model's before the other's: what differs is labkit's own time, run after run."""
    for number in range(4):
        lab = lk.Lab(tmp_path / f"{number}.duckdb")
        models = [lk.Model(f"scripted/{name}", client=lk.Script(lambda _: "yes")) for name in "ab"]
        rows = [{"text": str(place), "target": "yes"} for place in range(40)]
        plan = lab.plan(prompts=["Say yes to {{ text }}"], models=models, dataset=rows, scorers=[lk.exact()])
        found = plan.run().verdict("exact")
        row = found.frame().iloc[0]
        assert row["latency_n"] == 40
        # On a busy machine the two may not have been out at the same times: then no ratio is told.
        assert np.isnan(row["latency_ratio"]) or row["latency_low"] <= 1 <= row["latency_high"]
        assert "took" not in found.sentences[0]
