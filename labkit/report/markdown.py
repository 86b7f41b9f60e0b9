"""A run as Markdown: the same report without charts. Nothing in it is rendered as link, picture or HTML.

What models and people wrote is escaped, so a viewer shows its very characters and fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labkit import summary
from labkit.report.material import Material, Shown, scrub
from labkit.report.methods import paragraph, references
from labkit.report.tables import (
    design_rows,
    lacking_notes,
    missing_rows,
    moment,
    provenance_rows,
    summaries,
    watch_notes,
)
from labkit.visible import visible

MOST_ROWS = 40
_ACTS = re.compile(r"([\\`*_{}\[\]()#+!|<>~&$:@])")


def markdown(given: Material) -> str:
    """The whole report as Markdown text."""
    return scrub("\n".join(_sections(given))) + "\n"


def plain(value: object, *, limit: int = 300) -> str:
    r"""`value` as one line in which no character is Markdown or HTML.

    >>> plain("![x](http://a)")
    '\\!\\[x\\]\\(http\\://a\\)'
    """
    return _ACTS.sub(r"\\\1", visible(value, limit=limit))


def _sections(given: Material) -> Iterable[str]:
    run = given.run
    yield f"# {plain(given.question)}\n"
    yield f"Run {plain(run['run_id'])}, {plain(run['status'])}, {plain(moment(run['started_at']))}.\n"
    if given.watched:
        yield "## Night watch\n"
    for one in given.watched:
        head, *held = watch_notes(one)
        yield f"**{plain(head, limit=500)}**\n"
        yield from (f"- {plain(said, limit=1500)}" for said in one.sentences)
        yield ""
        yield from (f"*{plain(note, limit=600)}*  " for note in (*one.notes, *held))
        yield ""
    yield "## Verdict\n"
    if given.verdict is None:
        yield "Nothing was scored, so there is no verdict.\n"
    else:
        yield f"**{plain(given.verdict.headline, limit=500)}**\n"
        yield from (f"{plain(said, limit=1500)}\n" for said in given.verdict.conclusion)
        told = given.verdict.ranks or given.verdict.sentences
        yield from (f"- {plain(said, limit=1500)}" for said in told)
        yield ""
        yield from (f"*{plain(note, limit=500)}*  " for note in given.verdict.notes)
        yield ""
    if given.blocks is not None:
        yield "## Blocks of context\n"
        told = given.blocks.sentences + given.blocks.conclusion
        yield from (f"- {plain(said, limit=1500)}" for said in told)
        yield ""
        yield from (f"*{plain(note, limit=500)}*  " for note in given.blocks.notes)
        yield ""
    # A code block is text to every viewer; a fence longer than any inside cannot be closed from within.
    table = "\n\n".join(map(summary.text, summaries(given)))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", table)), default=0))
    yield f"## Summary\n\n{fence}text\n{table}\n{fence}\n"
    if given.differences is not None and len(given.differences.frame()):
        yield "## Rows that decide\n"
        yield from _table(_deciding(given.differences), headed=True)
    if given.verdict is not None and given.verdict.ranks:
        yield "\n## All pairs, one by one\n"
        yield from (f"- {plain(said, limit=1500)}" for said in given.verdict.sentences)
    yield "\n## Design\n"
    yield from _table(design_rows(given))
    for prompt in given.prompts:
        yield f"\nPrompt {plain(prompt['name'])}:\n"
        for text in (prompt.get("system"), prompt.get("text")):
            if text:
                yield from (f"    {visible(line, limit=5000)}" for line in str(text).splitlines())
                yield ""
    yield "## Missing data\n"
    rows = missing_rows(given)
    yield from _table(rows, headed=True) if len(rows) > 1 else ["No answer is missing."]
    yield from (f"\n{plain(note, limit=600)}" for note in lacking_notes(given))
    yield "\n## Provenance\n"
    yield from _table(provenance_rows(given))
    yield f"\n## Methods\n\n{paragraph(given)}\n"
    yield from (f"- {work}" for work in references(given))


def _deciding(given: Shown) -> list[tuple[object, ...]]:
    frame, names = given.frame(), given.names
    samples = [str(name) for name in frame.columns if str(name).startswith("sample.")] or ["sample_id"]
    head = (
        "why",
        *(name.removeprefix("sample.") for name in samples),
        *(given.called[name] for name in names),
    )
    rows: list[tuple[object, ...]] = [head]
    for row in frame.head(MOST_ROWS).to_dict("records"):
        answers = (f"{row[f'text.{name}']} [{row[f'score.{name}']:g}]" for name in names)
        rows.append((row["why"], *(row[name] for name in samples), *answers))
    return rows


def _table(rows: Sequence[Sequence[object]], *, headed: bool = False) -> Iterable[str]:
    given = list(rows)
    if not headed:
        given = [("", "") if len(given[0]) == 2 else ("",) * len(given[0]), *given]
    for place, row in enumerate(given):
        yield "| " + " | ".join(plain(cell) for cell in row) + " |"
        if place == 0:
            yield "|" + " --- |" * len(row)
