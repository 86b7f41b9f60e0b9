"""The chart of agreement: who agrees, how sure that is, and what is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit import charts
from labkit.errors import DefinitionError

ROWS = pd.DataFrame(
    {
        "who": ["<b>polite</b> with people", "people with people"],
        "answers": [40, 38],
        "same": [0.7, 0.9],
        "alpha": [0.4, np.nan],
        "low": [0.1, np.nan],
        "high": [0.6, np.nan],
        "all_alike": [False, True],
        "level": 0.95,
    }
)


def test_what_can_be_told_is_drawn_with_its_interval() -> None:
    """And what cannot is said."""
    figure = charts.agreement(ROWS)
    (trace,) = figure.data
    assert list(trace.x) == [0.4]
    assert list(trace.error_x.array) == pytest.approx([0.2])
    assert list(trace.error_x.arrayminus) == pytest.approx([0.3])
    assert "n = 40 answers" in figure.layout.title.text
    assert "not drawn: 1 row" in figure.layout.title.subtitle.text
    assert "<b>polite" not in figure.layout.yaxis.ticktext[0]


def test_without_anything_to_tell_it_says_why() -> None:
    """All alike, or nobody labelled."""
    assert "alike" in charts.agreement(ROWS.tail(1)).layout.annotations[0].text
    assert "labelled" in charts.agreement(ROWS.head(0)).layout.annotations[0].text


def test_what_is_no_agreement_is_refused() -> None:
    """With what to give."""
    with pytest.raises(DefinitionError, match="labelled"):
        charts.agreement(pd.DataFrame({"x": [1]}))
