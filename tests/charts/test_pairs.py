"""labkit.charts.pairs: the forest of differences."""

from __future__ import annotations

import pytest

from labkit import charts
from labkit.errors import DefinitionError
from labkit.verdict import verdict


def test_a_forest_draws_each_pair_of_a_verdict(rows):
    """One mark per pair, filled where decided; a frame of pairs and a run draw the same."""
    found = verdict(rows([f"openai/m{i}" for i in range(4)], samples=40))

    class Run:
        def verdict(self, *, by):
            assert by is None
            return found

    drawn = charts.forest(found)
    assert len(drawn.data) == 6
    assert "n = 6 pairs" in drawn.layout.title.text
    hollow = sum(trace.marker.symbol.endswith("-open") for trace in drawn.data)
    assert hollow == 6 - int(found.pairs["decided"].sum())
    for same in (charts.forest(Run()), charts.forest(found.frame())):
        assert [trace.x for trace in same.data] == [trace.x for trace in drawn.data]


def test_forty_models_show_the_pairs_of_the_best(rows):
    """780 pairs are too many to read: those of the best are drawn, and the subtitle says so."""
    drawn = charts.forest(verdict(rows([f"openai/m{i}" for i in range(40)])))
    assert len(drawn.data) == 39
    assert "780 pairs" in drawn.layout.title.text
    assert "the 39 pairs of the best" in drawn.layout.title.subtitle.text


def test_a_margin_is_drawn_as_a_band(rows):
    """The verdict's margin, or one that is given, stands around the line of no difference."""
    frame = rows(["openai/a", "openai/b"], samples=40)
    drawn = charts.forest(verdict(frame, margin=0.05))
    assert [(shape.x0, shape.x1) for shape in drawn.layout.shapes if shape.type == "rect"] == [(-5.0, 5.0)]
    assert not [s for s in charts.forest(verdict(frame)).layout.shapes if s.type == "rect"]


def test_one_model_or_a_wrong_thing_is_said(rows):
    """Nothing to compare is a sentence; what is no verdict is a DefinitionError."""
    assert "n = 0 pairs" in charts.forest(verdict(rows(["openai/a"]))).layout.title.text
    with pytest.raises(DefinitionError, match="verdict"):
        charts.forest(rows())


def test_hostile_names_are_shown_as_they_are(rows):
    """Names in a forest are escaped for Plotly."""
    drawn = charts.forest(verdict(rows(["x/<b>bold</b>", "x/a$b$"])))
    text = str(drawn.layout.yaxis.ticktext) + str([trace.hovertext for trace in drawn.data])
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    assert "$" not in text
