"""labkit.cli.terminal: nothing that is printed acts on the terminal."""

from __future__ import annotations

import contextlib
import io
import json
import unicodedata
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cli.output import show_frame, show_json, show_rows
from labkit.cli.terminal import Terminal


@given(st.text())
def test_only_characters_that_show_come_through(text: str) -> None:
    """Whatever is written, nothing comes out that a terminal obeys or an eye cannot see."""
    stream = io.StringIO()
    Terminal(stream).write(text)
    kinds = {unicodedata.category(one) for one in stream.getvalue() if one not in "\n\t"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_a_return_hides_nothing() -> None:
    """What stands before a lone carriage return is not written over."""
    stream = io.StringIO()
    Terminal(stream).write("cost USD 900\rcost USD 1\r\n")
    assert stream.getvalue() == "cost USD 900\ncost USD 1\n"


def test_a_narrow_terminal_gets_codes() -> None:
    """What the terminal's encoding does not have is written as codes."""
    raw = io.BytesIO()
    terminal = Terminal(io.TextIOWrapper(raw, encoding="ascii"))
    click.echo("模 \udcff", file=terminal)
    terminal.flush()
    assert raw.getvalue() == b"\\u6a21 \\u27e8DCFF\\u27e9\n"


@given(st.dictionaries(st.text(), st.text()))
def test_json_means_the_same_and_shows_all(value: dict[str, str]) -> None:
    """JSON is read back as it was, and what would act in it is an escape."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        show_json(value)
    assert json.loads(stream.getvalue()) == value
    through = io.StringIO()
    Terminal(through).write(stream.getvalue())
    assert through.getvalue() == stream.getvalue()


def test_both_streams_are_led_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command's own door puts both streams behind it, once."""
    import sys

    from labkit.cli.terminal import lead_through

    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    lead_through()
    lead_through()
    click.echo("\x1b]0;out\x07")
    click.echo("\x9b2Jerr", err=True)
    assert (out.getvalue(), err.getvalue()) == ("⟨1B⟩]0;out⟨07⟩\n", "⟨9B⟩2Jerr\n")


def _never(word: str) -> None:
    raise AssertionError(word)


CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes()
    | st.decimals()
    | st.floats().map(np.float64)
    | st.sampled_from([pd.NA, pd.NaT, np.int64(3), np.float32("nan")]),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(CELLS)
def test_what_is_printed_as_json_is_json(value: object) -> None:
    """Whatever a frame, a card or a summary holds: no NaN and no Infinity, which others cannot read."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        show_json(value)
    json.loads(stream.getvalue(), parse_constant=_never)


@given(st.lists(st.floats() | st.none()), st.lists(st.floats(width=32)))
def test_a_frame_and_a_table_are_json(doubles: list[float | None], floats: list[float]) -> None:
    """Rows of a frame and of an Arrow table: numbers that are none are null, or in a query's rows text."""
    length = min(len(doubles), len(floats))
    columns = {"double": doubles[:length], "float": floats[:length]}
    for show in (
        lambda: show_frame(pd.DataFrame(columns), as_json=True, empty="nothing"),
        lambda: show_rows(pa.table(columns)),
    ):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            show()
        assert len(json.loads(stream.getvalue(), parse_constant=_never)) == length
