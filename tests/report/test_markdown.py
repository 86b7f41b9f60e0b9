"""labkit.report.markdown: the report as Markdown in which nothing of the data acts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labkit.report.markdown import plain


def test_it_has_every_section_and_nothing_that_acts(run: Any, here: Path) -> None:
    """S9: no raw HTML, picture or link comes from data; home paths are cut."""
    text = run.report(here / "report.md").read_text(encoding="utf-8")
    for name in ("Verdict", "Summary", "Rows that decide", "Design", "Missing data", "Provenance", "Methods"):
        assert f"\n## {name}\n" in text
    outside = re.sub(r"^    .*$", "", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    assert not re.search(r"(?<!\\)[<>]", outside)
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(", outside)
    assert "/home/ada" not in text
    assert "\u202e" not in text


@given(st.text(max_size=60))
def test_plain_text_stays_on_one_line_and_escaped(text: str) -> None:
    """Whatever a cell holds, it is one line, and each character that acts has a backslash before it."""
    shown = plain(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]()#!|<>]", shown)


def test_of_many_contenders_ranks_are_told(here: Path) -> None:
    """With six models the lines are those of ranks, and the methods say how ranks were got and from whom."""
    import labkit as lk

    def answering(share: int) -> Any:
        return lambda request: "yes" if int(request.messages[-1]["content"]) % 7 < share else "no"

    models = [
        lk.Model(f"scripted/m{share}", client=lk.Script(answering(share), version="1")) for share in range(6)
    ]
    rows = [{"text": str(i), "target": "yes"} for i in range(30)]
    plan = lk.Lab(here / "lab.duckdb", models=models).plan(
        prompts=["{{ text }}"], models=models, dataset=rows, scorers=[lk.contains("target")]
    )
    run = plan.run(progress="none")
    text = run.report(here / "many.md").read_text(encoding="utf-8")
    told = run.verdict().ranks
    assert told
    assert f"\n- {plain(told[0], limit=1500)}\n" in text
    assert "All 15 pairs" in str(run.verdict())
    assert "Mogstad" in text
    assert "Bayesian bootstrap" in text
