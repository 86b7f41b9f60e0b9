"""labkit.charts.blocks: effects of blocks beside their price."""

from __future__ import annotations

import pytest

from labkit import charts
from labkit.errors import DefinitionError
from tests.verdict.blocks import asked, told

TWO = {"models": ("x/a", "x/b"), "effects": {"examples": 0.3}, "base": 0.4}


def test_effects_stand_beside_their_price():
    """One mark and one bar per block and model, filled where decided; a frame and a run draw the same."""
    found = told(*asked(3, 100, **TWO))

    class Run:
        def ablation(self):
            return found

    drawn = charts.block_effects(found)
    marks, bars = drawn.data[::2], drawn.data[1::2]
    assert [len(trace.x) for trace in (*marks, *bars)] == [3] * 4
    effects = found.frame()
    assert list(marks[0].x) == pytest.approx((100 * effects["effect"][:3]).tolist())
    assert list(marks[0].error_x.array) == pytest.approx(
        (100 * (effects["all_high"] - effects["effect"])[:3]).tolist()
    )
    assert list(bars[0].x) == pytest.approx(effects["cost_per_1k_usd"][:3].tolist())
    hollow = [symbol.endswith("-open") for trace in marks for symbol in trace.marker.symbol]
    assert hollow == [not decided for decided in effects["decided"]]
    assert "n = 6 effects" in drawn.layout.title.text
    assert "USD per 1,000 answers" in drawn.layout.xaxis2.title.text
    for same in (charts.block_effects(Run()), charts.block_effects(effects)):
        assert [list(trace.x) for trace in same.data] == [list(trace.x) for trace in drawn.data]


def test_without_prices_tokens_are_drawn():
    """And a score without declared bounds is in its own units."""
    drawn = charts.block_effects(told(*asked(2, 60, usd_mtok=None, scale=None)))
    assert list(drawn.data[1].x) == pytest.approx([640, 60])
    assert "tokens" in drawn.layout.xaxis2.title.text
    assert "in its own units" in drawn.layout.xaxis.title.text


def test_a_model_that_cannot_be_told_of_is_left_out_and_said_so():
    """Where none can be told of, the sentence stands in its place."""
    frame, sets = asked(2, 60, **TWO)
    whole = frame["prompt"] == "reply"
    frame.loc[whole & (frame["model"] == "x/b"), "score.exact"] = None
    drawn = charts.block_effects(told(frame, sets))
    assert len(drawn.data) == 2
    assert "not drawn: 1 model with too many failures" in drawn.layout.title.subtitle.text
    frame.loc[whole, "score.exact"] = None
    assert "cannot be told" in charts.block_effects(told(frame, sets)).layout.annotations[0].text


def test_hostile_names_are_shown_as_they_are():
    """Names of models are escaped for Plotly."""
    frame, sets = asked(2, 20)
    frame["model"] = "x/<b>bold</b>$a$"
    drawn = charts.block_effects(told(frame, sets))
    text = str([(trace.name, trace.hovertext) for trace in drawn.data])
    assert "<b>" not in text
    assert "$" not in text


def test_what_is_no_ablation_is_refused(rows):
    """A frame of generations is none."""
    with pytest.raises(DefinitionError, match="takes an ablation"):
        charts.block_effects(rows())
