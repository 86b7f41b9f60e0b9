"""labkit.summary.summary_frame: a frame that shows itself."""

from __future__ import annotations

import pandas as pd

from labkit.summary import summarize

ROWS = pd.DataFrame({"model": "m<b>", "sample_id": ["1", "2"], "status": "done", "score.ok": [1, 0]})


def test_a_summary_shows_its_table() -> None:
    """A summary's text and HTML are the aligned table, with the model's name escaped in HTML."""
    found = summarize(ROWS, by="model")
    assert "score" in repr(found).splitlines()[0]
    assert "m&lt;b&gt;" in found._repr_html_()


def test_a_summary_calls_models_by_their_labels() -> None:
    """Labels put on the frame's attrs are shown in place of ids; the column keeps the ids."""
    rows = ROWS.copy()
    rows.attrs["labels"] = {"m<b>": "Model B"}
    found = summarize(rows, by="model")
    assert "Model B" in repr(found)
    assert found["model"].tolist() == ["m<b>"]


def test_what_is_cut_from_a_summary_is_a_plain_frame() -> None:
    """Selecting columns gives an ordinary DataFrame that shows itself the ordinary way."""
    assert type(summarize(ROWS, by="model")[["model", "n"]]) is pd.DataFrame


def test_what_cost_nothing_is_known_to_cost_nothing() -> None:
    """A call that may have been paid for leaves the cost known where every answer was free."""
    rows = ROWS.assign(cost_usd=[0.0, 0.0], maybe_paid=[1, 0])
    assert bool(summarize(rows, by="model")["cost_known"].item())
    rows = ROWS.assign(cost_usd=[0.1, 0.0], maybe_paid=[1, 0])
    assert not bool(summarize(rows, by="model")["cost_known"].item())
