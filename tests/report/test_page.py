"""labkit.report.page: one page that fetches nothing and runs nothing but its own two scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import DefinitionError

OURS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong", "ul", "li", "div", "br",
    "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "script",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "style", "scope", "type", "role",
    "aria-label",
}  # fmt: skip


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.scripts += tag == "script" and dict(attrs).get("type") is None


@pytest.fixture
def page(run: Any, here: Path) -> str:
    """The report's text."""
    return Path(run.report(here / "report.html", question="Which <b>one</b>?")).read_text(encoding="utf-8")


def test_it_has_every_section(page: str) -> None:
    """Question, verdict, charts, summary, rows that decide, design, missing data, provenance, methods."""
    assert "<h1>Which &lt;b&gt;one&lt;/b&gt;?</h1>" in page
    for name in (
        "Verdict",
        "Charts",
        "Summary",
        "Rows that decide",
        "Design",
        "Missing data",
        "Provenance",
        "Methods",
    ):
        assert f"<h2>{name}</h2>" in page
    assert "Bonett" in page
    assert "No answer is missing." in page


def test_no_element_or_attribute_comes_from_data(page: str) -> None:
    """S7: of answers, prompts, labels and columns nothing becomes markup; the only scripts are ours."""
    found = _Page()
    found.feed(page)
    assert set(found.tags) <= OURS
    assert found.attributes <= ATTRIBUTES
    assert found.scripts == 2


def test_its_policy_allows_only_its_own_scripts(page: str) -> None:
    """S8: a content security policy with hashes, nothing else may load, plotly.js is there once."""
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert policy[1].count("sha256-") == 2
    assert "unsafe-eval" not in policy[1]
    assert "unsafe-inline&#x27;; img" in policy[1]
    assert page.count("plotly.js v") == 1
    assert len(page) < 6_000_000


def test_no_home_path_is_told(page: str) -> None:
    """S25: paths of anybody's home are cut, in answers too."""
    body = page[: page.index("<script>")]
    assert "/home/ada" not in body
    assert "Users\\ada" not in body
    assert str(Path.home()) + "/" not in body
    assert "~/secrets" in body


def test_a_wrong_ending_or_folder_is_refused(run: Any, here: Path) -> None:
    """A report is .html or .md, in a folder that is there."""
    with pytest.raises(DefinitionError, match=r"\.html or \.md"):
        run.report(here / "report.pdf")
    with pytest.raises(DefinitionError, match="no folder 'nowhere'"):
        run.report(here / "nowhere" / "report.html")


def test_a_run_without_scores_has_a_report_without_verdict(here: Path, lab: Any, echo: Any) -> None:
    """Nothing scored: the page says so, and has its charts of time and cost."""
    run = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=[{"text": "a"}, {"text": "b"}]).run()
    text = run.report(here / "r.html").read_text(encoding="utf-8")
    assert "Nothing was scored, so there is no verdict." in text
    assert "Latency of 1 model" in text
    assert "Nothing was scored" in run.report(here / "r.md").read_text(encoding="utf-8")


@pytest.mark.alone
def test_a_browser_draws_it_without_a_word(run: Any, here: Path, chromium: Any) -> None:
    """S8: in Chromium the charts are drawn, nothing is asked for, nothing complains, no dialog opens."""
    path = run.report(here / "report.html").resolve()
    said: list[str] = []
    page = chromium.new_page(viewport={"width": 1100, "height": 900}, color_scheme="dark")
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url) if "report.html" not in request.url else None)
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('.chart .main-svg').length > 10")
    assert page.locator("img, iframe, a[href^=javascript]").count() == 0
    page.close()
    assert [one for one in said if one != path.as_uri()] == []
