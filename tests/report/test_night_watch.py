"""What a report, Markdown and a card tell of the sentinels that checked a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import DefinitionError
from tests.charts.planted_nights import MODELS, baseline, check, finding, month, written
from tests.report.conftest import EVIL
from tests.report.test_page import ATTRIBUTES, OURS, _Page

SAID = "openai/gpt-4o is worse by 8 to 18 points than baseline 2026-10 (100 rows, re-asked and confirmed)."


@pytest.fixture
def night(lab: Any, echo: Callable[..., Any]) -> Any:
    """A run that was asked tonight."""
    return lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=[{"text": "a"}, {"text": "b"}]).run()


@pytest.fixture
def watched(lab: Any, night: Any) -> Any:
    """The run, checked by a sentinel after three weeks, and a night of it that came later."""
    *before, after = month(nights=23)
    records: list[Any] = [baseline(), *before[:-1]]
    worse = finding(said="worse", change=-0.13, low=-0.18, high=-0.08, now=0.67, causes=["other model"])
    checked = check(22, "worse", worse, run_id=night.run_id, sentences=[SAID], notes=["Nobody was told."])
    written(lab, [*records, checked, after])
    return night


def test_the_page_has_what_the_sentinel_said_and_its_nights(watched: Any, here: Path) -> None:
    """Outcome, sentences, notes, baseline and who accepted it, and the chart up to this night, before the
    verdict."""
    page = watched.report(here / "r.html").read_text(encoding="utf-8")
    section = page[page.index("<h2>Night watch</h2>") : page.index("<h2>Verdict</h2>")]
    # Nights 9 and 10 have no check, so the 22nd of the month is its 20th night.
    assert "<strong>Night 20 of triage-nightly: worse.</strong>" in section
    assert f"<li>{SAID}</li>" in section
    assert "Nobody was told." in section
    held = "Baseline 2026-10, accepted by ada on 2026-10-29 02:10:00 UTC: the first good week."
    assert held in section
    assert section.count('<script type="application/json">') == 1
    drawn = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', section)[0])
    assert drawn["layout"]["title"]["text"] == "triage-nightly: worse on the last night, n = 20 nights"


def test_markdown_has_the_section_without_the_chart(watched: Any, here: Path) -> None:
    """Sentences and notes are lines of it."""
    text = watched.report(here / "r.md").read_text(encoding="utf-8")
    section = text[text.index("## Night watch") : text.index("## Verdict")]
    assert "**Night 20 of triage-nightly\\: worse.**" in section
    assert "- openai/gpt-4o is worse by 8 to 18 points" in section
    assert "*Nobody was told.*" in section
    assert "accepted by ada on 2026-10-29" in section


def test_the_card_holds_sentinel_baseline_and_outcome(watched: Any, here: Path) -> None:
    """Who accepted the baseline, when and why, as JSON."""
    (one,) = watched.card(here / "c.json")["sentinels"]
    assert one == json.loads((here / "c.json").read_text())["sentinels"][0]
    assert (one["sentinel"], one["night"], one["outcome"], one["again_of"]) == (
        "triage-nightly", 20, "worse", None,
    )  # fmt: skip
    assert one["sentences"] == [SAID]
    assert one["notes"] == ["Nobody was told."]
    assert one["baseline"] == {
        "name": "2026-10",
        "accepted_by": "ada",
        "accepted_at": "2026-10-29 02:10:00 UTC",
        "why": "the first good week",
        "forced": False,
        "run_ids": ["r0"],
    }


def test_a_run_that_no_sentinel_checked_has_no_section(night: Any, here: Path, lab: Any) -> None:
    """Whatever a sentinel said of other runs."""
    written(lab, month())
    assert "Night watch" not in night.report(here / "r.html").read_text(encoding="utf-8")
    assert "Night watch" not in night.report(here / "r.md").read_text(encoding="utf-8")
    assert night.card()["sentinels"] == []
    assert night.checks().empty
    assert "no check of a sentinel" in night.chart("nights").layout.annotations[0].text


def test_a_run_that_asked_again_says_for_whom(night: Any, here: Path, lab: Any) -> None:
    """It confirms what the sentinel saw in another run."""
    written(lab, [check(1, "worse", finding(said="worse"), again_run_id=night.run_id, baseline_id=None)])
    said = "This run was asked to confirm what triage-nightly saw in run r1, night 1: worse."
    page = night.report(here / "r.html").read_text(encoding="utf-8")
    assert said in page
    assert "The lab has no baseline that it was held against." in page
    (one,) = night.card()["sentinels"]
    assert (one["again_of"], one["baseline"]) == ("r1", None)


def test_each_sentinel_has_its_part(watched: Any, here: Path, lab: Any) -> None:
    """Two sentinels that checked one run, one of them in another workspace too: three parts, three charts."""
    more: list[Any] = [
        check(1, "cannot tell", run_id=watched.run_id, sentinel="other", baseline_id="gone"),
        check(2, "worse", finding(), run_id=watched.run_id, workspace="else"),
    ]
    written(lab, more)
    page = watched.report(here / "r.html").read_text(encoding="utf-8")
    section = page[page.index("<h2>Night watch</h2>") : page.index("<h2>Verdict</h2>")]
    assert re.findall(r"<strong>(.*?)</strong>", section) == [
        "Night 1 of other: cannot tell.",
        "Night 20 of triage-nightly: worse.",
        "Night 1 of triage-nightly: worse.",
    ]
    assert section.count('aria-label="nights of ') == 3


def test_a_run_draws_the_nights_of_its_sentinel(watched: Any, lab: Any) -> None:
    """`run.chart("nights")` ends with this night; of several sentinels the error says how to draw one."""
    import labkit as lk

    found = watched.chart("nights")
    assert found.layout.title.text == "triage-nightly: worse on the last night, n = 20 nights"
    assert {trace.name for trace in found.data} >= {*MODELS, "no check", "worse"}
    written(lab, [check(1, "cannot tell", run_id=watched.run_id, sentinel="other")])
    with pytest.raises(DefinitionError, match="2 sentinels: 'other', 'triage-nightly'"):
        watched.chart("nights")
    assert lk.charts.nights(watched, sentinel="other").data


def test_the_latest_check_of_a_run_is_told(night: Any, here: Path, lab: Any) -> None:
    """A run that was checked again has what was found last."""
    written(lab, [check(1, "cannot tell", run_id=night.run_id)])
    written(lab, [check(2, "worse", finding(said="worse"), run_id=night.run_id, sentences=["Worse now."])])
    page = night.report(here / "r.html").read_text(encoding="utf-8")
    assert "Night 1 of triage-nightly: worse." in page
    assert "Worse now." in page
    assert "cannot tell" not in page[: page.index("<h2>Verdict</h2>")]


def test_nothing_that_a_sentinel_wrote_acts(night: Any, here: Path, lab: Any) -> None:
    """Its name, sentences, notes, causes, and the baseline's name, reason and person are text and no more."""
    for place, evil in enumerate(EVIL):
        found = finding(said="worse", prompt=evil, model=evil, resolved=[evil], causes=[evil])
        given: dict[str, Any] = {"baseline_id": f"b{place}", "baseline": evil, "sentinel": f"{evil}{place}"}
        one = check(1, "worse", found, run_id=night.run_id, sentences=[evil], notes=[evil], **given)
        written(lab, [baseline(**given, why=evil, user=evil), one])
    page = night.report(here / "r.html").read_text(encoding="utf-8")
    parsed = _Page()
    parsed.feed(page)
    assert set(parsed.tags) <= OURS | {"strong"}
    assert parsed.attributes <= ATTRIBUTES
    assert parsed.scripts == 1
    body = page[: page.index("<script>")]
    assert "/home/ada" not in body
    assert not set("\u202e\u200b\x1b") & set(body)
    text = night.report(here / "r.md").read_text(encoding="utf-8")
    section = text[text.index("## Night watch") : text.index("## Verdict")]
    assert not re.search(r"(?<!\\)[<>]", section)
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(", section)
    assert "/home/ada" not in json.dumps(night.card())


@pytest.mark.alone
def test_a_browser_draws_the_nights_under_the_pages_policy(watched: Any, here: Path, chromium: Any) -> None:
    """In Chromium, dark, the section's chart is drawn first, and nothing complains or is asked for."""
    path = watched.report(here / "report.html").resolve()
    said: list[str] = []
    page = chromium.new_page(viewport={"width": 1100, "height": 900}, color_scheme="dark")
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if "report.html" not in request.url else None)
    page.goto(path.as_uri())
    page.locator(".chart .main-svg").nth(3).wait_for(state="attached")
    first = page.locator(".chart").first
    assert first.get_attribute("aria-label") == "nights of triage-nightly"
    assert "worse on the last night" in first.locator(".gtitle").first.text_content()
    first.screenshot(path=str(here / "nights.png"))
    page.close()
    assert said == []
