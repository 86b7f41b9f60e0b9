"""labkit.report.page: one page that fetches nothing and runs nothing but its own scripts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
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
    "aria-label", "open",
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
    assert found.scripts == 1


def test_its_policy_allows_only_its_own_scripts(page: str) -> None:
    """S8: a content security policy with hashes, nothing else may load, plotly.js is there once."""
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert policy[1].count("sha256-") == 3
    assert "unsafe-eval" not in policy[1]
    assert "unsafe-inline&#x27;; img" in policy[1]
    packed = re.findall(r'<script type="text/plain">([^<]+)</script>', page)
    carried = [gzip.decompress(base64.b64decode(one)) for one in packed]
    assert sum(one.count(b"plotly.js v") for one in carried) == 1
    for one in carried:
        assert base64.b64encode(hashlib.sha256(one).digest()).decode() in html.unescape(policy[1])
    assert len(page) < 2_500_000


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


def test_a_run_of_replays_tells_what_its_answers_cost(here: Path, lab: Any, echo: Any) -> None:
    """It spent nothing, and the answers that it tells of were paid for by another run."""
    model = echo("dear").replace(prices={"input": 1e3, "output": 1e3})
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=[{"n": n} for n in range(3)])
    first = plan.run()
    usd = first.summary()["cost_usd"].sum()
    assert usd > 0
    told = [run.report(here / "r.html").read_text(encoding="utf-8") for run in (first, plan.run())]
    assert f"<td>{usd:.6g}</td>" in told[0]
    assert f"0 by this run; its answers cost {usd:.6g} when first asked" in told[1]


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
    # A wait by a function would be evaluated, which the page's policy forbids.
    page.locator(".chart .main-svg").nth(10).wait_for(state="attached")
    assert page.locator("img, iframe, a[href^=javascript]").count() == 0
    page.close()
    assert [one for one in said if one != path.as_uri()] == []


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of two prompts on three models."""
    import labkit as lk

    here = tmp_path_factory.mktemp("grid")

    def answering(share: int) -> Any:
        return lambda request: "yes" if int(request.messages[-1]["content"].split()[-1]) % 7 < share else "no"

    models = [
        lk.Model(f"scripted/m{share}", client=lk.Script(answering(share), version="1"), label=label)
        for share, label in ((1, "One (base)"), (4, "Four (base)"), (6, None))
    ]
    rows = [{"text": str(i), "target": "yes" if i % 3 else "no"} for i in range(30)]
    lab = lk.Lab(here / "lab.duckdb", models=models)
    plan = lab.plan(
        prompts=[lk.Prompt("p", "Say {{ text }}"), lk.Prompt("q", "Now say {{ text }}")],
        models=models,
        dataset=rows,
        scorers=[lk.contains("target")],
    )
    return plan.run(progress="none"), here


def test_the_summary_stands_once_with_ranks(grid: Any) -> None:
    """Each combination has one row of numbers on the page; all pairs are there, folded."""
    run, here = grid
    page = run.report(here / "six.html", by=["prompt", "model"]).read_text(encoding="utf-8")
    assert page.count('class="labkit-summary"') == 1
    assert "chance of<br>being best" in page
    assert "above<br>baseline" in page
    assert "All 15 pairs, one by one" in page
    assert ".frame()</div>" not in page
    by_model = run.report(here / "three.html").read_text(encoding="utf-8")
    assert by_model.count('class="labkit-summary"') == 2


def test_one_name_for_one_model_and_no_riddles(grid: Any) -> None:
    """Legends and tables call it alike; prompts are open; times have a zone."""
    run, here = grid
    page = run.report(here / "names.html").read_text(encoding="utf-8")
    charts = page[page.index("<h2>Charts</h2>") : page.index("<h2>Rows that decide</h2>")]
    assert "Four (base)" in charts
    assert '"Four"' not in charts
    assert '"m6' not in charts
    assert "scripted\\u002fm6" in charts
    assert page.count("<details open><summary>prompt ") == 2
    assert re.search(r"<td>started</td><td>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC</td>", page)
    assert "null}" not in page[: page.index("<h2>Methods</h2>")].split("<h2>Provenance</h2>")[1]
