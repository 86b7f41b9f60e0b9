"""The manual: its links lead somewhere, it names all there is, and asks nobody when opened."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import duckdb
import pytest

import labkit
from labkit.store import migrate

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "labkit").rglob("*.py"))


class Page(HTMLParser):
    """A page's links and the places in it that a link may name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name == "id":
                self.places.add(value)
            elif value and name in ("href", "src"):
                self.links.append(value)


def test_links_and_anchors_lead_somewhere(site: Path) -> None:
    """Every link of every page that leads into the manual has a file there, and a place in it."""
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 30
    lost = [
        (path.name, link) for path, page in pages.items() for link in page.links if _lost(link, path, pages)
    ]
    assert not lost


def _lost(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    """Whether a link of the page at `path` leads into the manual, and to nothing."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    to = to / "index.html" if to.is_dir() else to
    place = unquote(parts.fragment)
    return not to.exists() or bool(place and to in pages and place not in pages[to].places)


def test_the_reference_shows_what_a_person_uses(site: Path) -> None:
    """What only labkit calls of a run and a plan has no heading, and what labkit makes no way to make it."""
    places = {place for path in (site / "reference").glob("*.html") for place in Page(path).places}
    own = {"Run.start", "Run.find", "Run.grown_by", "Run.resumed_by", "Plan.title", "Plan.services"}
    assert not [place for place in places if place.endswith(tuple(f".{name}" for name in own))]
    assert "LabServices" not in (site / "reference" / "run.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ["labkit", "labkit.scoring", "labkit.charts", "labkit.stats"])
def test_every_public_name_is_in_the_reference(site: Path, room: str) -> None:
    """Each name that a package gives has a heading of its own."""
    places = {place for path in (site / "reference").glob("*.html") for place in Page(path).places}
    told = {place.rpartition(".")[2] for place in places}
    types = {"Function", "Value", "charts", "errors"}  # two aliases in `Scorer`'s text; pages of their own
    assert set(import_module(room).__all__) - types <= told


def test_every_command_is_in_the_reference(site: Path) -> None:
    """Each command has a heading, each of its options a row."""
    from labkit.cli.main import labkit

    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    left: list[tuple[str, click.Command]] = [(f"labkit {name}", one) for name, one in labkit.commands.items()]
    for name, command in left:
        assert name in page
        for param in command.params:
            assert param.param_type_name == "argument" or param.opts[0] in page, (name, param.opts)
        if isinstance(command, click.Group):
            left += [(f"{name} {below}", one) for below, one in command.commands.items()]


def test_every_error_has_its_cause_and_cure() -> None:
    """The page of errors has a row for each class, with all its cells filled, and for nothing else."""
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z]\w+)` \|(.*)\|$", page, re.MULTILINE)
    assert all(cell.strip() for _, cells in rows for cell in cells.split("|"))
    classes = [one for one in vars(labkit.errors).values() if inspect.isclass(one)]
    errors = [one.__name__ for one in classes if issubclass(one, Exception)]
    assert sorted([name for name, _ in rows] + ["ProviderError"]) == sorted(errors)


def test_every_column_is_told() -> None:
    """The page of tables has each view of a lab: its columns in their order, with types and meanings."""
    page = (ROOT / "docs" / "reference" / "tables.md").read_text(encoding="utf-8")
    told = {}
    for view, text in re.findall(r"^## (\w+)\n(.*?)(?=^## )", page, re.DOTALL | re.MULTILINE):
        same = re.search(r"with the columns of `(\w+)`", text)
        own = re.findall(r"^\| `(\w+)` \| (\w+) \| \S.* \|$", text, re.MULTILINE)
        told[view] = told[same[1]] if same else own
    with duckdb.connect() as connection:
        migrate.apply(connection, migrate.steps())
        columns = connection.execute(
            "select table_name, list((column_name, lower(data_type)) order by column_index) "
            "from duckdb_columns() where schema_name = 'main' and not internal group by 1"
        )
        assert told == dict(columns.fetchall())


def test_every_variable_is_told() -> None:
    """What labkit reads of the environment stands on the page, and each LABKIT_ name there is read."""
    page = (ROOT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([A-Z][A-Z_]+)`", page))
    read = set().union(*map(_variables, SOURCES))
    assert not read - told - {"JPY_SESSION_NAME"}  # Jupyter's own, for the notebook's name
    ours = {name for name in told if name.startswith("LABKIT_")} - {"LABKIT_BROWSER"}  # the tests' own
    assert ours <= read


def test_the_service_is_told_whole() -> None:
    """The page of the service has a row for each of its addresses and for nothing else, and names what is
    taken and given, each status, each option of `labkit serve` and each of its variables."""
    from labkit.cli.serve import serve

    page = (ROOT / "docs" / "reference" / "service.md").read_text(encoding="utf-8")
    described = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8"))
    calls = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, operations in described["paths"].items()
        for method in operations
    }
    assert set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /\S+)` \|", page, re.MULTILINE)) == calls
    names = set(re.findall(r"`([^`\n]+)`", page))
    operations = [one for operations in described["paths"].values() for one in operations.values()]
    parameters = [one for operation in operations for one in operation.get("parameters", ())]
    taken = {one["name"] for one in parameters if one["in"] == "query"}
    for schema in ("Execute", "PromptRun", "Metrics", "Model", "Pricing", "Provider", "WorkbenchAnswer"):
        taken |= set(described["components"]["schemas"][schema]["properties"])
    assert not taken - names
    assert not {option for param in serve.params for option in param.opts} - names
    statuses = {status for one in operations for status in one["responses"] if status >= "400"}
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", page, re.MULTILINE)
    assert statuses <= set(", ".join(rows).split(", "))
    sources = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    variables = set(re.findall(r'"(LABKIT_SERVE_[A-Z_]+)"', sources)) - {
        "LABKIT_SERVE_SETTINGS"
    }  # for workers
    assert variables == {name for name in names if name.startswith("LABKIT_SERVE_")}


def _variables(path: Path) -> Iterator[str]:
    """Names in capitals that stand as arguments or indices of `os.environ`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        of_environ = isinstance(node, ast.Call | ast.Subscript) and "environ" in ast.unparse(
            node.func if isinstance(node, ast.Call) else node.value
        )
        if of_environ:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and re.fullmatch(r"[A-Z][A-Z_]+", str(inner.value)):
                    yield str(inner.value)


@pytest.mark.browser
def test_pages_open_from_disk_and_ask_nobody(site: Path, chromium: Any) -> None:
    """Each page opens in Chromium from disk, in light and in dark, without an error in the console or a
    request to anywhere; on a telephone it is no wider than the screen."""
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    told: list[str] = []
    page.on("console", lambda one: told.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url))
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":
            continue  # a server's answer, with a server's addresses
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(path.as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path.name
    assert [one for one in told if not one.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.browser
def test_the_search_finds_a_page(site: Path, chromium: Any) -> None:
    """Who types words gets the page about them, without a server."""
    page = chromium.new_page()
    page.goto((site / "index.html").as_uri())
    page.get_by_role("button", name="Search").click()
    page.keyboard.insert_text("stay within")  # at once: typed, the results of its first letters come between
    page.get_by_text(re.compile(r"\d+ results")).wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/stay-within-a-budget.html*")
