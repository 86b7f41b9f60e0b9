"""labkit.charts: what a chart draws is what the tables and the verdict say of the same rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import charts
from labkit.summary import summarize
from labkit.verdict import verdict

EARLY = pd.Timestamp("2026-11-23", tz="UTC")
BYS = ["model", "prompt", ["prompt", "model"]]
SCALES = [None, (0, 1, 1), (0, 1, None), (1, 5, 1)]


@st.composite
def studies(draw: st.DrawFn) -> tuple[pd.DataFrame, str | None]:
    """A study of 2 to 4 models, with uneven repeats, missing scores, unknown costs, and what it declares."""
    models = [f"x/{name}" for name in "abcd"[: draw(st.integers(2, 4))]]
    prompts = ["p", "q"][: draw(st.integers(1, 2))]
    scale = draw(st.sampled_from(SCALES))
    rng = np.random.default_rng(draw(st.integers(0, 9_999)))
    gaps, dear = draw(st.sampled_from([0.0, 0.2])), draw(st.sampled_from([0.0, 0.02, 1.0]))
    rows = []
    for model in models:
        unknown = rng.random() < 0.5
        for prompt in prompts:
            for sample in range(12):
                for repeat in range(1 + int(rng.integers(0, 3))):
                    done, seconds = rng.random() >= gaps / 2, float(rng.lognormal())
                    priced = done and not (unknown and rng.random() < dear)
                    row = {
                        "model": model, "prompt": prompt, "sample_id": f"s{sample}", "repeat": repeat,
                        "status": "done" if done else "failed",
                        "score.s": _score(rng, scale) if done and rng.random() >= gaps / 2 else np.nan,
                        "latency_s": seconds if done else np.nan, "ttft_s": seconds / 3,
                        "cost_usd": 0.001 * float(rng.lognormal()) if priced else np.nan,
                        "input_tokens": int(rng.integers(9, 90)), "output_tokens": int(rng.integers(1, 60)),
                        "replayed_from": f"g{len(rows) // 2}" if (again := rng.random() < 0.1) else None,
                        "first.generation_id": f"g{len(rows) // 2}" if again else f"r{len(rows)}",
                        "first.latency_s": seconds if done else np.nan, "first.ttft_s": seconds / 3,
                        "started_at": EARLY + pd.Timedelta(seconds=len(rows)), "in_flight": 4,
                        "maybe_paid": 0, "attempts": 1,
                        "sample.kind": "uv"[sample % 2], "sample.who": sample // 3,
                    }  # fmt: skip
                    rows.append(row)
    frame = pd.DataFrame(rows)
    frame.attrs["scales"] = {} if scale is None else {"s": scale}
    if draw(st.booleans()):
        frame.attrs["grown"] = {"rows": draw(st.integers(0, 1)), "others": draw(st.integers(0, 1))}
    return frame, draw(st.sampled_from([None, "sample.who"]))


def _score(rng: np.random.Generator, scale: Any) -> float:
    if scale is None:
        return float(rng.normal(40, 9))
    low, high, step = scale
    return float(rng.uniform(low, high) if step is None else rng.integers(low, high + 1))


def _marks(figure: Any) -> list[Any]:
    """The traces that draw marks, without those of the legend alone."""
    return [t for t in figure.data if "markers" in (t.mode or "") and t.x is not None and t.x[0] is not None]


def _ends(trace: Any, at: int, axis: str = "x") -> tuple[float, float, float]:
    """A mark and where its bars end; a limit that is infinite or off the axis is drawn as no bar."""
    bar, middle = getattr(trace, f"error_{axis}"), float(getattr(trace, axis)[at])
    return middle - float(bar.arrayminus[at]), middle, middle + float(bar.array[at])


def _as_drawn(low: float, middle: float, high: float) -> tuple[float, float, float]:
    return low if math.isfinite(low) else middle, middle, high if math.isfinite(high) else middle


def _drawn(low: float, middle: float, high: float) -> Any:
    return pytest.approx(_as_drawn(low, middle, high), rel=1e-9, abs=1e-12)


def _bars(row: Any) -> tuple[float, float, float]:
    return _as_drawn(row["score_low"], row["score"], row["score_high"])


def _order(ends: tuple[float, float, float]) -> tuple[float, ...]:
    """Marks are found again by their numbers; two of one mean differ by their ends."""
    return tuple(round(end, 6) for end in (ends[1], ends[0], ends[2]))


def _score_row(row: Any) -> Any:
    return _drawn(row["score_low"], row["score"], row["score_high"])


@given(studies())
@settings(max_examples=25, deadline=None)
def test_scores_are_those_of_the_summary(study: tuple[pd.DataFrame, str | None]) -> None:
    """By model and prompt, by slice and by repeat: the mean and both ends, watched or clustered alike."""
    frame, clusters = study
    table = summarize(frame, clusters=clusters)
    for trace, (_, part) in zip(
        _marks(charts.scores(frame, clusters=clusters)), table.groupby("prompt"), strict=True
    ):
        for at, row in enumerate(part[part["score_n"] > 0].to_dict("records")):
            assert _ends(trace, at) == _score_row(row)
    sliced = summarize(frame, by=["model", "sample.kind"], clusters=clusters)
    for trace in _marks(charts.slices(frame, "kind", by="model", clusters=clusters)):
        mine = sliced[(sliced["model"] == f"x/{trace.name}") | (sliced["model"] == trace.name)]
        # Slices are found again by what is told of them; two of one mean differ by their ends.
        drawn = sorted((_ends(trace, at) for at in range(len(trace.x))), key=_order)
        rows = sorted(mine[mine["score_n"] > 0].to_dict("records"), key=lambda row: _order(_bars(row)))
        for found, row in zip(drawn, rows, strict=True):
            assert found == _score_row(row)
    if frame["repeat"].nunique() > 1:
        again = summarize(frame, by=["model", "repeat"], clusters=clusters)
        traces = _marks(charts.drift(frame, by="model", clusters=clusters))
        for trace in traces:
            mine = again[(again["model"] == f"x/{trace.name}") | (again["model"] == trace.name)]
            right = trace.xaxis in (None, "x")
            mine = mine[mine["score_n" if right else "latency_n"] > 0]
            for at, row in enumerate(mine.to_dict("records")):
                if right:
                    assert _ends(trace, at, "y") == _score_row(row)
                else:
                    assert trace.y[at] == pytest.approx(row["latency_p50_s"])


def _table(frame: pd.DataFrame, by: Any, clusters: str | None = None) -> pd.DataFrame:
    """The summary, indexed by what a legend calls each row."""
    table = summarize(frame, by=by, clusters=clusters)
    keys = [by] if isinstance(by, str) else by
    names = [[str(value) for value in table[key]] for key in keys]
    return table.set_index(pd.Index([" · ".join(one) for one in zip(*names, strict=True)]))


@given(studies(), st.sampled_from(BYS))
@settings(max_examples=25, deadline=None)
def test_costs_and_clocks_are_those_of_the_summary(study: tuple[pd.DataFrame, str | None], by: Any) -> None:
    """The price of 1,000 answers, median latency, speed; what is not known is drawn in none of them."""
    frame, clusters = study
    table = _table(frame, by, clusters)
    known = table[table["cost_per_1k_usd"].notna()]
    timed = table[table["latency_p50_s"].notna()]
    drawn = charts.frontier(frame, by=by, clusters=clusters)
    sides: dict[str, list[Any]] = {"x": [], "x2": []}
    for trace in _marks(drawn):
        sides[trace.xaxis or "x"].append(trace)
    scored = table["score_n"] > 0
    for side, of, rows in (("x", "cost_per_1k_usd", known), ("x2", "latency_p50_s", timed)):
        rows = rows[scored[rows.index]]
        assert [t.x[0] for t in sides[side]] == pytest.approx(rows[of].tolist())
        for trace, row in zip(sides[side], rows.to_dict("records"), strict=True):
            assert _ends(trace, 0, "y") == _score_row(row)
    both = known[known["latency_p50_s"].notna()]
    marks = _marks(charts.cost_latency(frame, by=by))
    assert [t.x[0] for t in marks] == pytest.approx(both["cost_per_1k_usd"].tolist())
    assert [t.y[0] for t in marks] == pytest.approx(both["latency_p50_s"].tolist())
    priced = [t.x[0] for t in _marks(charts.tokens_cost(frame, by=by)) if t.xaxis == "x2"]
    assert priced == pytest.approx(sorted(known["cost_per_1k_usd"]))
    if by != "prompt":
        bars = charts.cost_parts(frame, by=by).data
        sums = np.sum([bar.x for bar in bars], axis=0) if bars else []
        assert list(sums) == pytest.approx(sorted(known["cost_per_1k_usd"]))
    speeds = [t.x[0] for t in _marks(charts.speed(frame, by=by))]
    assert speeds == pytest.approx(sorted(table["tokens_per_s"].dropna()))


@given(studies(), st.sampled_from(BYS))
@settings(max_examples=25, deadline=None)
def test_curves_of_clocks_pass_through_the_summarys_quantiles(
    study: tuple[pd.DataFrame, str | None], by: Any
) -> None:
    """Half of the answers came within the median of the table, 95 in 100 within its p95."""
    frame, _ = study
    table = _table(frame, by)
    for draw, of in ((charts.latency, "latency"), (charts.ttft, "ttft")):
        for trace in draw(frame, by=by).data:
            if trace.name is None:
                continue
            name, _, count = trace.name.partition(", n = ")
            row = table.loc[name]
            assert int(count) == row["latency_n"]
            values, shares = np.array(trace.x, dtype=float), np.array(trace.y, dtype=float)
            for share in (50, 95):
                told = row[f"{of}_p{share}_s"]
                assert (
                    100 * (values < told).mean()
                    <= share + 1e-9
                    <= 100 * (values <= told).mean() + 100 / len(values)
                )
            assert shares[-1] == 100


@given(studies(), st.sampled_from(["model", "prompt", ["prompt", "model"]]))
@settings(max_examples=25, deadline=None)
def test_a_forest_draws_the_verdicts_ranges(study: tuple[pd.DataFrame, str | None], by: Any) -> None:
    """Each pair's difference with the range that holds for all, in points where the score is from 0 to 1."""
    frame, clusters = study
    found = verdict(frame, by=by, clusters=clusters)
    pairs = found.frame()
    factor = 100 if found.scale.unit else 1
    shown = pairs[pairs["n"] > 0].to_dict("records")
    for trace, row in zip(_marks(charts.forest(found)), reversed(shown), strict=True):
        ends = [factor * row[name] for name in ("all_low", "difference", "all_high")]
        if not (math.isfinite(ends[0]) and math.isfinite(ends[2])):
            ends = [ends[1]] * 3
        assert _ends(trace, 0) == pytest.approx(tuple(ends), rel=1e-9, abs=1e-9)


@given(studies())
@settings(max_examples=25, deadline=None)
def test_a_verdicts_contenders_are_the_summarys(study: tuple[pd.DataFrame, str | None]) -> None:
    """Its table of contenders has the scores, intervals, prices and clocks of the summary."""
    frame, clusters = study
    found = verdict(frame, clusters=clusters).contenders.sort_values("model").reset_index(drop=True)
    table = summarize(frame, by="model", clusters=clusters)
    pd.testing.assert_frame_equal(
        pd.DataFrame(found.drop(columns="name")),
        pd.DataFrame(table),
        check_dtype=False,
        check_index_type=False,
    )
