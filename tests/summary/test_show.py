"""labkit.summary.show: a summary as text and HTML, with nothing from the data alive in it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from labkit.summary import html, summarize, text

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "a\u202eb\u200b",
    "\x1b[31mred",
    "two\nlines",
    "&lt;b&gt;",
]


class Tags(HTMLParser):
    """Collects every element and attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


def test_the_text_is_aligned_and_has_units(rows):
    """Every line of the table is as wide as its rule allows, and the header names units."""
    shown = text(summarize(rows(), baseline=0.5)).splitlines()
    assert "(USD)" in shown[1]
    assert "p50 / p95" in shown[1]
    rule = shown[2]
    assert all(len(line) <= len(rule) for line in shown[:5])
    assert shown[3].startswith("p       local/a ")


def test_unknown_and_partly_known_costs_are_said(rows):
    """Unknown is a word, partly known is 'at least', and the note explains it."""
    frame = rows(models=["a", "b"], samples=2, repeats=1, cost_usd=[0.5, None, None, None])
    shown = text(summarize(frame))
    assert "≥ 0.500" in shown
    assert "unknown" in shown
    assert "at least" in shown
    assert "no price is known" in shown
    assert "at least" not in text(summarize(rows(cost_usd=None)))


def test_rare_counts_are_shown_only_where_there_are_any(rows):
    """Stopped and replayed cells get a column when they exist; failures always have one."""
    assert "replayed" not in text(summarize(rows()))
    frame = rows(replayed_from="g1", latency_s=None)
    shown = text(summarize(frame))
    assert "replayed" in shown
    assert "of fresh answers only" in shown


def test_cut_and_empty_answers_are_told_with_what_can_be_done(rows):
    """As soon as there is one: a column, and a line with the advice; nothing where there is none."""
    frame = rows(models=["m"], samples=4, repeats=1, stop_reason="stop", text="yes")
    assert not {"cut", "empty", "refused"} & set(text(summarize(frame)).split())
    frame["stop_reason"] = ["max_tokens"] * 3 + ["refusal"]
    frame.loc[0, "text"] = "\n"
    for shown in (text(summarize(frame)), html(summarize(frame))):
        assert "cut" in shown
        assert "3 of 4 answers ended at max_tokens: give a larger max_tokens" in shown
        assert "1 of 4 answers is empty: a stop sequence" in shown
        assert "1 of 4 answers is a refusal" in shown


def test_a_scorer_that_failed_is_told_under_the_table(rows):
    """With how often and why, its words made visible and escaped; of scores that are not shown nothing."""
    frame = rows(models=["m"], samples=4, repeats=1)
    reason = "TypeError: <b>\u202e"
    frame.attrs["failures"] = {"exact": {"answers": 4, "failed": 4, "reason": reason, "reasons": 1}}
    assert "scorer 'exact' failed on 4 of 4 answers: TypeError: <b>⟨202E⟩" in text(summarize(frame))
    assert "TypeError: &lt;b&gt;⟨202E⟩" in html(summarize(frame))
    frame["score.tone"] = 1.0
    assert "failed on" not in text(summarize(frame, score="tone"))


def test_a_score_that_no_answer_has_is_no_mean_of_nothing(rows):
    """That its scorer failed is said once; that nothing else gave it one is said of it."""
    frame = rows(models=["m"], samples=4, repeats=1)
    frame["score.boom"], frame["score.mute"] = float("nan"), float("nan")
    frame.attrs["failures"] = {"boom": {"answers": 4, "failed": 4, "reason": "KeyError: 'x'", "reasons": 1}}
    shown = text(summarize(frame))
    assert "over 0 scored" not in shown
    assert shown.count("boom'") == 1
    assert "score: mute, which no answer has" in shown


def test_two_scores_stand_beside_each_other(rows):
    """Each under its name, with a note of its own; what is not shown is named."""
    frame = rows(models=["m"], samples=4, repeats=1)
    frame["score.tone"] = 3.0
    frame["score.structure"] = 1.0
    shown = text(summarize(frame, baseline=0.5))
    heads = shown.splitlines()[0]
    assert heads.index("exact ") < heads.index("tone ")
    assert "score: exact, mean over 4 scored samples" in shown
    assert "score: tone, mean over 4 scored samples" in shown
    assert "scored too: structure; see them with score=" in shown


def test_models_can_be_called_by_labels(rows):
    """A label takes the place of a model's id."""
    shown = text(summarize(rows()), labels={"local/a": "A, a few-shot base model"})
    assert "A, a few-shot base model" in shown
    assert "local/a" not in shown


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(rows, name):
    """No element or attribute of the HTML comes from a name, nor an escape code into the text."""
    frame = rows(models=[name], prompts=[name]).rename(columns={"score.exact": f"score.{name}"})
    summary = summarize(frame)
    clean, dirty = Tags(), Tags()
    clean.feed(html(summarize(rows(models=["m"]))))
    dirty.feed(html(summary))
    assert dirty.found == clean.found
    shown = text(summary)
    assert not set(shown) & set("\x1b\u202e\u200b")
    assert len(shown.splitlines()) == len(text(summarize(rows(models=["m"]))).splitlines())


def test_wide_characters_keep_the_columns(rows):
    """A Chinese name takes two places a character."""
    shown = text(summarize(rows(models=["模型"], prompts=["p"]))).splitlines()
    assert shown[2].split("  ")[1] == "─" * 5
    assert "模型 " in shown[3]


def test_an_empty_summary_says_so(rows):
    """No rows are a sentence, in both forms."""
    summary = summarize(rows().iloc[:0])
    assert text(summary).endswith("no generations")
    assert "no generations" in html(summary)


def test_one_sample_is_not_an_interval(rows):
    """A mean of one sample, or of equal ones without bounds, is shown without limits and says why."""
    for samples, why in ((1, "one sample"), (3, "no scatter")):
        frame = rows(models=["m"], samples=samples, repeats=1)
        frame["score.exact"] = 7.0
        frame.attrs["scales"] = {}
        assert f"7.00 ({why})" in text(summarize(frame))


def test_two_scores_fit_a_page_and_intervals_break_nowhere(rows, chromium):
    """At 1,200 px, with long names, replays and a baseline, nothing lies outside; a cell breaks before its
    bracket and behind its stroke only."""
    frame = rows(models=["shop/clerk-of-the-month-2026-11", "shop/expert"], prompts=["triage", "short"])
    frame["score.contains"] = frame["score.exact"]
    frame.attrs["scales"] = {"exact": (0, 1, 1), "contains": (0, 1, 1)}
    page = chromium.new_page(viewport={"width": 1200, "height": 800})
    page.set_content(html(summarize(frame, baseline=0.5)))
    wide = page.locator(".labkit-summary").evaluate("one => [one.scrollWidth, one.clientWidth]")
    assert wide[0] <= wide[1] <= 1200
    cells = page.locator("td:nth-child(5), td:nth-child(6)").evaluate_all(
        "all => all.map(one => one.innerHTML)"
    )
    assert any("&nbsp;to&nbsp;" in cell for cell in cells)
    assert not any(" to" in cell for cell in cells)
