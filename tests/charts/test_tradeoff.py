"""labkit.charts.tradeoff: quality, price and speed on one sheet."""

from __future__ import annotations

import numpy as np

from labkit import charts


def _keys(found):
    return [trace.name for trace in found.data if trace.name]


def _scored(rows, good, bad, **columns):
    frame = rows(["openai/a", "openai/b"], samples=60, **columns)
    a = (frame["model"] == "openai/a").to_numpy()
    scores = np.where(a, np.arange(len(frame)) % 10 < bad, np.arange(len(frame)) % 10 < good) * 1.0
    return frame.assign(**{"score.exact": scores}), a


def test_a_model_is_grey_only_where_it_is_significantly_dominated(rows):
    """Better, cheaper and faster by far: the other is grey and hollow, and says by whom."""
    frame, a = _scored(rows, 9, 3)
    frame["cost_usd"] = np.where(a, 0.002, 0.001) * np.linspace(0.9, 1.1, len(frame))
    frame["latency_s"] = np.where(a, 2.0, 1.0) * np.linspace(0.9, 1.1, len(frame))
    found = charts.frontier(frame)
    assert _keys(found) == ["openai/b", "openai/a (dominated)"]
    grey = [trace for trace in found.data if trace.legendgroup == "openai/a" and trace.hovertext]
    assert all(
        trace.marker.symbol.endswith("-open") and "dominated by openai/b" in trace.hovertext for trace in grey
    )


def test_dearer_slower_or_undecided_is_not_dominated(rows):
    """A model that is cheaper, or faster, or not decidedly worse keeps its colour."""
    frame, a = _scored(rows, 9, 3)
    noise = np.linspace(0.9, 1.1, len(frame))
    less, more = np.where(a, 1.0, 2.0) * noise, np.where(a, 2.0, 1.0) * noise
    cheaper = frame.assign(cost_usd=less, latency_s=more)
    faster = frame.assign(cost_usd=more, latency_s=less)
    even = frame.assign(cost_usd=more, latency_s=more)
    # Half of each one's samples are right, and they are not the same ones.
    even["score.exact"] = np.where(a, np.arange(len(frame)) % 2, (np.arange(len(frame)) // 2) % 2) * 1.0
    for one in (cheaper, faster, even):
        assert not any("dominated" in name for name in _keys(charts.frontier(one)))


def test_an_unknown_price_is_named_and_never_drawn_at_zero(rows):
    """The model stands on the side of speed only, and the subtitle names it."""
    frame = rows(["openai/a", "openai/b"])
    frame.loc[frame["model"] == "openai/a", "cost_usd"] = None
    found = charts.frontier(frame)
    assert "price not known: openai/a" in found.layout.title.subtitle.text
    sides = {trace.xaxis for trace in found.data if trace.legendgroup == "openai/a" and trace.hovertext}
    assert sides == {"x2"}
