"""labkit.charts.nights: what a sentinel saw, night by night."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.io
import pytest

from labkit import charts
from labkit.errors import DefinitionError
from tests.charts.planted_nights import FIRST, MODELS, NEW, OLD, check, finding, month, written
from tests.charts.test_charts import HOSTILE, _Scripts, _texts

DAY_MS = 86_400_000
COPIED = ("sentinel", "workspace", "run_id", "baseline_id", "baseline")
FIRST_MS = FIRST.timestamp() * 1000


def drawn(found: Any, name: str, axis: str = "y2") -> Any:
    """The trace of that name in a panel: y is the row of outcomes, then scores, price, latency."""
    (trace,) = [one for one in found.data if one.name == name and one.yaxis == axis]
    return trace


def nights(*records: Any) -> pd.DataFrame:
    """Checks as the view has them, without a lab."""
    rows = [
        {name: getattr(one, name) for name in COPIED}
        | {"night": place, "asked_at": one.asked_at, "outcome": one.outcome, "findings": one.findings}
        for place, one in enumerate(records, start=1)
    ]
    return pd.DataFrame(rows)


def test_what_is_drawn_is_what_the_checks_say(lab: Any) -> None:
    """A score is its mean, from baseline + low to baseline + high; price and latency are ratios."""
    frame = written(lab, month())
    found = charts.nights(frame)
    for metric, axis in (("score.exact", "y2"), ("cost", "y3"), ("latency", "y4")):
        wanted = [
            one
            for findings in frame["findings"]
            for one in json.loads(findings)
            if (one["metric"], one["model"]) == (metric, MODELS[1]) and one["change"] is not None
        ]
        assert len(wanted) >= 27
        trace = drawn(found, MODELS[1], axis)
        there = ~np.isnan(trace.y)
        base = [one["before"] if metric == "score.exact" else 0 for one in wanted]
        middle = [at + one["change"] for at, one in zip(base, wanted, strict=True)]
        assert trace.y[there] == pytest.approx(middle)
        ends = (trace.y + trace.error_y.array)[there], (trace.y - trace.error_y.arrayminus)[there]
        for end, name in zip(ends, ("high", "low"), strict=True):
            assert end == pytest.approx([at + one[name] for at, one in zip(base, wanted, strict=True)])
    assert found.layout.title.text == (
        "triage-nightly: not shown to be worse on the last 4 nights, n = 28 nights"
    )
    assert "worse on 4 · cannot tell on 1 · no check on 2" in found.layout.title.subtitle.text


@pytest.mark.parametrize(("better", "limit"), [("higher", 0.78), ("lower", 0.82)])
def test_the_band_reaches_from_the_baseline_to_the_margin(better: str, limit: float) -> None:
    """Down from the baseline's mean, or up where lower is better; from 1 up for price and latency."""
    found = charts.nights(nights(check(1, "worse", finding(better=better), finding("latency", margin=1.25))))
    bands = [trace for trace in found.data if trace.fill == "tonexty" or trace.line.dash == "dot"]
    assert [trace.yaxis for trace in bands] == ["y2", "y2", "y3", "y3"]
    for trace, wanted in zip(bands, (0.8, limit, 1.0, 1.25), strict=True):
        assert list(trace.y) == pytest.approx([wanted, wanted])


def test_a_new_baseline_moves_the_band_and_is_marked() -> None:
    """Nights before it keep theirs."""
    found = charts.nights(
        nights(
            check(1, "worse", finding()),
            check(2, "worse", finding(before=0.5, now=0.5), baseline_id="b2", baseline="2026-<b>"),
        )
    )
    base = next(trace for trace in found.data if trace.line.dash == "dot")
    assert list(base.y) == [0.8, 0.8, 0.5, 0.5]
    mark = drawn(found, "other baseline", "y")
    assert list(mark.x) == [FIRST_MS + DAY_MS]
    assert mark.hovertext[0] == "held against baseline 2026-&lt;b&gt;"


def test_nights_without_a_check_are_gaps() -> None:
    """The line breaks, each missed night has a mark in the row of outcomes, and none is invented."""
    found = charts.nights(nights(*(check(night, "worse", finding()) for night in (1, 2, 3, 6, 7, 8))))
    trace = drawn(found, MODELS[1])
    assert [math.isnan(y) for y in trace.y] == [False, False, False, True, False, False, False]
    assert trace.x[2] < trace.x[3] < trace.x[4]
    missed = drawn(found, "no check", "y")
    assert list(missed.x) == [FIRST_MS + DAY_MS * after for after in (3, 4)]


def test_what_was_not_found_of_a_contender_is_a_gap_in_its_line() -> None:
    """Another one's line goes on."""
    both = [finding(model=model) for model in MODELS]
    found = charts.nights(
        nights(check(1, "worse", *both), check(2, "worse", both[0]), check(3, "worse", *both))
    )
    assert np.isnan(drawn(found, MODELS[1]).y).tolist() == [False, True, False]
    assert not np.isnan(drawn(found, MODELS[0]).y).any()


def test_each_outcome_has_a_shape_of_its_own(lab: Any) -> None:
    """Worse, still worse, cannot tell and quiet nights are told apart without colour, at their nights."""
    found = charts.nights(written(lab, month()))
    shapes = {
        name: (
            drawn(found, name, "y").marker.symbol,
            (np.array(drawn(found, name, "y").x) - FIRST_MS) / DAY_MS + 1,
        )
        for name in ("worse", "still worse", "cannot tell", "not shown to be worse", "no check")
    }
    assert len({symbol for symbol, _ in shapes.values()}) == 5
    at = {name: list(where) for name, (_, where) in shapes.items()}
    assert at["worse"] == [22]
    assert at["still worse"] == [23, 24, 26]
    assert at["cannot tell"] == [25]
    assert at["no check"] == [9, 10]
    assert set(drawn(found, "cannot tell", "y").text) == {"?"}
    for axis in ("y2", "y3"):
        ring = drawn(found, "worse", axis)
        assert ring.marker.symbol == "triangle-down-open"
        line = drawn(found, MODELS[1], axis)
        assert set(zip(ring.x, ring.y, strict=True)) < set(zip(line.x, line.y, strict=True))
        assert len(ring.x) == 4


def test_what_cannot_be_told_stands_at_the_foot_of_its_panel(lab: Any) -> None:
    """Nothing was measured there: one mark for all contenders, below every point and bar, that names each."""
    found = charts.nights(written(lab, month()))
    mark = drawn(found, "cannot tell", "y2")
    (told,) = mark.hovertext
    assert all(model in told for model in MODELS)
    lines = [drawn(found, model) for model in MODELS]
    assert mark.y[0] < min(np.nanmin(line.y - line.error_y.arrayminus) for line in lines)


def test_a_change_of_the_resolved_model_is_marked(lab: Any) -> None:
    """At the night it came and the night it went, with a line through all panels, and what it became."""
    found = charts.nights(written(lab, month()))
    mark = drawn(found, "other resolved model", "y")
    assert [(x - FIRST_MS) / DAY_MS + 1 for x in mark.x] == [22, 28]
    assert list(mark.hovertext) == [f"{MODELS[1]}: {OLD} → {NEW}", f"{MODELS[1]}: {NEW} → {OLD}"]
    assert [shape.x0 for shape in found.layout.shapes] == list(mark.x)
    assert [one.text for one in found.layout.annotations] == [f"→ {NEW}", f"→ {OLD}"]


def test_who_answered_is_no_change_while_it_is_not_known() -> None:
    """A night on which nobody answered is passed over."""
    frame = nights(
        check(1, "worse", finding()),
        check(2, "cannot tell", finding(said="cannot tell", resolved=[])),
        check(3, "worse", finding()),
    )
    assert not charts.nights(frame).layout.shapes


def test_a_model_that_changes_every_night_leaves_the_panels_clear() -> None:
    """Of very many changes there are marks and no lines, and no names lie upon each other."""
    frame = nights(*(check(night, "worse", finding(resolved=[f"m-{night}"])) for night in range(1, 41)))
    found = charts.nights(frame)
    assert len(drawn(found, "other resolved model", "y").x) == 39
    assert not found.layout.shapes
    assert len(found.layout.annotations) < 3


def test_hover_tells_figures_who_answered_and_why() -> None:
    """All that the sentence of a finding rests on, and the night."""
    why = ["the resolved model changed", "answers are 38 % longer"]
    worse = finding(said="worse", change=-0.13, low=-0.18, high=-0.08, now=0.67, resolved=[NEW], causes=why)
    dear = finding("cost", "worse", change=1.4, low=1.3, high=1.6, now=0.0014, stands=True)
    found = charts.nights(nights(check(1, "worse", worse, dear)))
    assert drawn(found, MODELS[1]).hovertext[0].split("<br>") == [
        MODELS[1],
        "night 1, 2026-10-30 02:10 UTC, exact: worse",
        "0.67, baseline 0.8",
        "change -0.13 (-0.18 to -0.08), margin 0.02",
        "100 rows",
        f"answered by {NEW}",
        "changed: the resolved model changed, answers are 38 % longer",
    ]
    assert drawn(found, MODELS[1], "y3").hovertext[0].split("<br>")[1:4] == [
        "night 1, 2026-10-30 02:10 UTC, price: still worse",
        "0.0014 USD an answer, baseline 0.001 USD an answer",
        "1.4 × the baseline (1.3 to 1.6), margin 1.1",
    ]
    assert f"{MODELS[1]}, exact: worse" in drawn(found, "worse", "y").hovertext[0]


@pytest.mark.parametrize("kind", ["several a day", "clock set back", "no time"])
def test_where_dates_say_little_nights_stand_by_number(kind: str) -> None:
    """Several in a day, a clock that was set back, and a time that is missing."""
    at: list[Any] = [FIRST + timedelta(minutes=10 * place) for place in range(5)]
    if kind == "clock set back":
        at = [FIRST + timedelta(days=place) for place in (0, 1, 2, 1, 3)]
    if kind == "no time":
        at = [None, *(FIRST + timedelta(days=place) for place in range(4))]
    frame = nights(*(check(night, "worse", finding()) for night in range(1, 6))).assign(asked_at=at)
    found = charts.nights(frame)
    assert list(drawn(found, MODELS[1]).x) == [1, 2, 3, 4, 5]
    assert found.layout.xaxis.type is None
    assert "no check" not in found.layout.title.subtitle.text


def test_a_second_run_in_one_night_leaves_the_dates() -> None:
    """One pair within a day among many days is drawn at its time."""
    records = [check(night, "worse", finding()) for night in range(1, 8)]
    again = check(8, "worse", finding(), asked_at=FIRST + timedelta(days=6, hours=3))
    found = charts.nights(nights(*records, again))
    assert found.layout.xaxis.type == "date"
    assert not np.isnan(drawn(found, MODELS[1]).y).any()


@pytest.mark.parametrize("number", [4, 5, 12])
def test_above_four_contenders_scores_are_told_from_their_baselines(number: int) -> None:
    """Up to four each has its band; more share one, since a difference of 0 is everybody's baseline."""
    of = [
        finding(model=f"shop/m{place:02}", before=0.1 * place, now=0.1 * place - 0.02)
        for place in range(number)
    ]
    found = charts.nights(nights(check(1, "worse", *of)))
    bands = [trace for trace in found.data if trace.fill == "tonexty"]
    (first,) = [trace.y[0] for trace in found.data if trace.name == "shop/m00"]
    last = drawn(found, f"shop/m{number - 1:02}")
    if number == 4:
        assert len(bands) == 4
        assert last.y[0] == pytest.approx(0.28)
    else:
        assert [list(trace.y) for trace in bands] == [pytest.approx([-0.02, -0.02])]
        assert [first, last.y[0]] == pytest.approx([-0.02, -0.02])
        assert last.y[0] - last.error_y.arrayminus[0] == pytest.approx(-0.06)
        assert found.layout.yaxis2.title.text == "exact − baseline"


@pytest.mark.parametrize("number", [13, 40])
def test_above_twelve_contenders_there_is_a_row_for_each(number: int) -> None:
    """The worst of what was found of it in each night, and none is lost."""
    models = [f"shop/m{place:02}" for place in range(number)]
    of = [finding(model=model) for model in models]
    worse = finding("latency", "worse", model=models[3])
    unknown = finding("cost", "cannot tell", model=models[3])
    found = charts.nights(
        nights(check(1, "not shown to be worse", *of), check(2, "worse", *of, worse, unknown))
    )
    assert sorted(found.layout.yaxis2.ticktext) == models
    mark = drawn(found, "worse", "y2")
    assert [found.layout.yaxis2.ticktext[int(y)] for y in mark.y] == [models[3]]
    assert "latency: worse · " in mark.hovertext[0]
    assert len(drawn(found, "not shown to be worse", "y2").x) == 2 * number - 1


def test_prompts_and_models_are_told_apart() -> None:
    """One line for each prompt on each model; a given label stands for a model."""
    of = [finding(prompt=prompt, model=model) for prompt in ("ask", "show") for model in MODELS]
    found = charts.nights(nights(check(1, "worse", *of)), labels={MODELS[1]: "big"})
    assert {trace.name for trace in found.data if trace.yaxis == "y2" and trace.name} == {
        "ask · big", "show · big", f"ask · {MODELS[0]}", f"show · {MODELS[0]}",
    }  # fmt: skip
    assert "4 combinations" in found.layout.title.subtitle.text


def test_scores_have_a_panel_each_and_what_is_absent_has_none() -> None:
    """A local model has no price; a metric of a newer labkit is not known; both leave no empty panel."""
    found = charts.nights(
        nights(
            check(
                1,
                "worse",
                finding("latency"),
                finding("score.exact"),
                finding("score.judge"),
                finding("cost", "absent", change=None, now=None),
                finding("colour"),
            )
        )
    )
    titles = [found.layout[f"yaxis{place}"].title.text for place in (2, 3, 4)]
    assert titles == ["exact", "judge", "latency × baseline"]
    assert "yaxis5" not in found.layout


def test_a_night_on_which_nothing_was_found_is_drawn_all_the_same() -> None:
    """The provider was down all night: its outcome stands in the row, alone where no night has figures."""
    down = check(2, "cannot tell")
    found = charts.nights(nights(check(1, "not shown to be worse", finding()), down))
    assert list(drawn(found, "cannot tell", "y").x) == [FIRST_MS + DAY_MS]
    alone = charts.nights(nights(down))
    assert [trace.name for trace in alone.data] == ["cannot tell"]


def test_figures_that_are_no_numbers_are_left_out() -> None:
    """A text, an infinite limit or NaN where a number belongs bends no axis, and what is more is ignored."""
    plain = finding().plain()
    odd = [
        {**plain, "now": "high"},
        {**plain, "low": -math.inf, "high": math.inf, "margin": None, "more": {}},
        {**plain, "before": math.nan},
        {**plain, "now": 10**400},
    ]
    frame = nights(*(check(night, "worse", finding()) for night in range(1, 5)))
    found = charts.nights(frame.assign(findings=[[one] for one in odd]))
    trace = drawn(found, MODELS[1])
    assert np.isnan(trace.y).tolist() == [True, False, False, True]
    assert trace.error_y.array[1] == trace.error_y.arrayminus[1] == 0
    plotly.io.to_json(found)


def test_without_a_baseline_there_is_no_difference() -> None:
    """A mean is drawn by itself; of more than four contenders, of which none has one, nothing is."""
    alone = {"before": None, "change": None, "low": None, "high": None}
    found = charts.nights(nights(check(1, "cannot tell", finding(said="cannot tell", **alone))))
    assert list(drawn(found, MODELS[1]).y) == [0.78]
    of = [finding(said="cannot tell", model=f"shop/m{place}", **alone) for place in range(5)]
    found = charts.nights(nights(check(1, "cannot tell", *of)))
    assert len(drawn(found, "cannot tell", "y2").x) == 1
    assert np.isnan(drawn(found, "shop/m0").y).all()


def test_a_price_many_times_as_high_has_a_logarithmic_axis() -> None:
    """The quiet nights stay readable beside it, and what cannot be told stays above 0."""
    dear = finding("cost", "worse", change=80.0, low=70.0, high=90.0)
    unknown = finding("cost", "cannot tell", change=None, now=None, low=None, high=None)
    frame = nights(
        check(1, "worse", finding("cost")), check(2, "worse", dear), check(3, "cannot tell", unknown)
    )
    found = charts.nights(frame)
    assert found.layout.yaxis2.type == "log"
    assert drawn(found, "cannot tell", "y2").y[0] > 0


def test_with_nothing_to_draw_it_says_so(lab: Any) -> None:
    """An empty lab has no nights."""
    found = charts.nights(written(lab, []))
    assert not found.data
    assert "n = 0" in found.layout.title.text
    assert "no check of a sentinel" in found.layout.annotations[0].text


def test_whatever_has_checks_is_drawn(lab: Any) -> None:
    """Anything with `.checks()` draws the same figure as its frame."""
    frame = written(lab, month())

    class Watch:
        def checks(self) -> pd.DataFrame:
            return frame

    assert _texts(charts.nights(Watch())) == _texts(charts.nights(frame))


def test_of_several_sentinels_one_is_to_be_named(lab: Any) -> None:
    """The error lists them; a named one is drawn alone."""
    frame = written(lab, [check(1, "worse", finding()), check(2, "worse", finding(), sentinel="other")])
    with pytest.raises(DefinitionError, match=r"2 sentinels: 'other', 'triage-nightly'\. Name the one"):
        charts.nights(frame)
    assert (
        "other: worse on the last night, n = 1 night"
        in charts.nights(frame, sentinel="other").layout.title.text
    )
    with pytest.raises(DefinitionError, match=r"no check of sentinel 'x'; there are: 'other'"):
        charts.nights(frame, sentinel="x")
    with pytest.raises(DefinitionError, match="sentinel is 3; give a text"):
        charts.nights(frame, sentinel=3)  # type: ignore[arg-type] # what a person may well give


def test_what_holds_no_checks_is_refused(lab: Any) -> None:
    """The message says what it takes, or which night cannot be read."""
    frame = nights(check(1, "worse", finding()))
    with pytest.raises(DefinitionError, match="takes a sentinel, a run or a frame of checks, not a dict"):
        charts.nights({})
    with pytest.raises(DefinitionError, match="no column 'findings'"):
        charts.nights(frame.drop(columns="findings"))
    for broken in ("[[", "3", '["a"]', 3):
        with pytest.raises(DefinitionError, match="findings of night 1 are no list of findings"):
            charts.nights(frame.assign(findings=[broken]))
    with pytest.raises(DefinitionError, match="one sentinel in one workspace"):
        charts.nights(pd.concat([frame, frame]))
    assert charts.nights(frame.assign(findings=[None])).data


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("contenders", [1, 13])
def test_hostile_names_never_reach_plotly_as_markup(name: str, contenders: int) -> None:
    """Whatever a sentinel, a prompt, a model, a score, a baseline, a cause or a provider's name holds."""

    def planted(name: str) -> pd.DataFrame:
        said: Any = {"prompt": name, "resolved": [name], "causes": [name], "metric": f"score.{name}"}
        of = [finding(said="worse", model=f"{name}{place}", **said) for place in range(contenders)]
        after = [
            finding(said=name, model=f"{name}{place}", **said | {"resolved": ["x"]})
            for place in range(contenders)
        ]  # type: ignore[arg-type] # from a lab anybody wrote
        return nights(
            check(1, "worse", *of, sentinel=name),
            check(2, name, *after, sentinel=name, baseline=name, baseline_id="b2"),
        )

    found = charts.nights(planted(name))
    drawn = _texts(found)
    for markup in ("<img", "<script", "<a href", "<b>"):
        assert markup not in drawn
    assert not set(drawn) & set("\u202e\u200b\x1b$")
    assert not any(trace.hovertemplate or trace.texttemplate for trace in found.data)
    clean, dirty = _Scripts(), _Scripts()
    clean.feed(plotly.io.to_html(charts.nights(planted("m/x")), include_plotlyjs=False))
    dirty.feed(plotly.io.to_html(found, include_plotlyjs=False))
    assert dirty.tags == clean.tags


@pytest.mark.alone
def test_a_browser_shows_the_very_characters(chromium: Any) -> None:
    """In Chromium hostile names make no element, no link and no dialog, drawn and pointed at."""
    import plotly.offline

    of = [
        finding(said="worse", prompt=name, model=name, causes=[name], resolved=[name]) for name in HOSTILE[:7]
    ]
    found = charts.nights(
        nights(check(1, "worse", *of, sentinel=HOSTILE[0]), check(2, "worse", *of[:3])).assign(
            sentinel=HOSTILE[0]
        )
    )
    said: list[str] = []
    page = chromium.new_page(viewport={"width": 1000, "height": 900})
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.set_content("<div id='c'></div>")
    page.add_script_tag(content=plotly.offline.get_plotlyjs())
    for place in [place for place, trace in enumerate(found.data) if trace.hovertext]:
        page.evaluate(
            """async ([figure, place]) => {
                await Plotly.newPlot('c', figure.data, figure.layout, {displayModeBar: false});
                const {xaxis = 'x', yaxis = 'y'} = figure.data[place];
                Plotly.Fx.hover('c', [{curveNumber: place, pointNumber: 0}], [xaxis + yaxis]);
            }""",
            [json.loads(plotly.io.to_json(found)), place],
        )
        page.locator("#c .hoverlayer text").first.wait_for()
        assert page.locator("#c a[href], #c img, #c iframe, #c script").count() == 0
    assert "<img src=x onerror=alert(1)>" in page.locator("#c .infolayer").text_content()
    page.close()
    assert said == []


def test_a_year_of_nights_begins_with_the_last_sixty() -> None:
    """All 400 nights of six models are in the figure, within 2.5 MB, and it says how."""
    frame = nights(*month([f"shop/m{place}" for place in range(6)], nights=400))
    found = charts.nights(frame)
    assert len(drawn(found, "shop/m5").x) == 398 + 1
    begin, end = found.layout.xaxis.range
    assert begin == pytest.approx(FIRST_MS + DAY_MS * (340 - 0.8))
    assert end == pytest.approx(FIRST_MS + DAY_MS * (399 + 0.8))
    assert "the last 60 are shown, a double click shows all" in found.layout.title.subtitle.text
    assert len(plotly.io.to_json(found)) < 2_500_000


def test_paper_is_transparent_and_text_grey() -> None:
    """The figure fits a light and a dark page."""
    layout = charts.nights(nights(check(1, "worse", finding()))).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color == "#7f7f7f"
