"""Files are private, names are only names, and nothing larger is read than may be: S6, S11, S16."""

from __future__ import annotations

import ast
import gzip
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import labkit as lk
from labkit.engine.retry import Policy
from labkit.errors import DefinitionError, LabkitError
from labkit.providers import wire
from labkit.read import NoJson, read_json
from labkit.store import journal_line

PACKAGE = Path(__file__).parents[2] / "labkit"
DEEP = 100_000
FORBIDDEN = ("extractall", "read_pickle", "to_pickle", "unsafe_load", "full_load")


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_all_a_lab_makes_is_private(here: Path, echo: Callable[..., Any]) -> None:
    """S6: under a umask of 0 lab, journals, backup and export are readable by their owner only."""
    before = os.umask(0)
    try:
        lab = lk.Lab(here / "mine" / "lab.duckdb")
        lab.plan(prompts=["Say a."], models=[echo()]).run()
        lab.backup(here / "backup.duckdb")
        lab.export(here / "exported")
    finally:
        os.umask(before)
    made = [path for path in here.rglob("*") if "exported" not in path.parts or path.name == "exported"]
    assert {"lab.duckdb", "lab.duckdb.journal", "backup.duckdb", "exported"} <= {path.name for path in made}
    modes = {path.relative_to(here): stat.S_IMODE(path.stat().st_mode) for path in made}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


HOSTILE = st.text(min_size=1, max_size=30) | st.sampled_from(
    [
        "'; drop table log.generations; --",
        '"; drop view runs; --',
        "a\0b",
        "$1",
        "?",
        "x' or '1'='1",
        "\\",
        "%s",
    ]
)


@settings(deadline=None, max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=HOSTILE, other=HOSTILE)
def test_no_name_changes_the_tables(name: str, other: str, tmp_path_factory: Any) -> None:
    """S11: whatever a prompt, experiment, workspace, sample, column or filter is called, it is kept as that
    or refused, and the tables stay the same."""
    lab = lk.Lab(tmp_path_factory.mktemp("lab") / "lab.duckdb")
    model = lk.Model("scripted/m", client=lk.Script(lambda request: name, version="1"))
    count = "select count(*) from duckdb_tables() where not internal"
    lab.plan(prompts=["Say a."], models=[model]).run()
    before = lab.store.table(count).to_pylist()
    for made in (
        lambda: lab.plan(prompts=[lk.Prompt(name, "Say a.")], models=[model], experiment=other),
        lambda: lk.Lab(lab.path, workspace=name).plan(prompts=["Say a."], models=[model]),
        lambda: lab.plan(
            prompts=["Say {{ a }}."], models=[model], dataset=[{"id": name, "a": other, other: 1}]
        ),
    ):
        try:
            rows = made().run().generations()
        except LabkitError:
            continue
        assert rows["text"].item() == name
    for column in ("run", "experiment", "model", "prompt", "workspace", "status"):
        lab.generations(**{column: name})
        lab.generations(**{column: [name, other]})
    assert lab.sql("select ? as x", [name.replace("\0", "")])["x"].item() == name.replace("\0", "")
    with pytest.raises(DefinitionError):
        lab.generations(columns=[f"sample.{name}", name])
    assert lab.store.table(count).to_pylist() == before


@contextmanager
def serving(answer: Callable[[Any], None]) -> Iterator[str]:
    """A server that answers every request in its own way."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            try:
                answer(self)
            except OSError:
                return

        def log_message(self, *what: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_bomb_is_not_read(
    status: int, streamed: bool, lab: lk.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S16: an answer, or a refusal, that becomes huge when it is unpacked, is given up at a limit."""
    monkeypatch.setattr(wire, "LARGEST_BYTES", 1_000_000)
    kind = "text/event-stream" if streamed else "application/json"
    said = json.dumps({"choices": [{"index": 0, "delta": {"content": "a" * 1000}}]})
    packed = gzip.compress((f"data: {said}\n\n" * 10_000).encode())

    def answer(handler: Any) -> None:
        handler.send_response(status)
        for field, value in (("content-type", kind), ("content-encoding", "gzip")):
            handler.send_header(field, value)
        handler.send_header("content-length", str(len(packed)))
        handler.end_headers()
        handler.wfile.write(packed)

    with serving(answer) as url:
        plan = lab.plan(prompts=["Say a."], models=[lk.Model("house/m", base_url=url)])
        frame = plan.run(policy=Policy(fail_fast=True), allow_unpriced=True).generations()
    row = frame.iloc[0]
    assert row["status"] in ("failed", "partial")
    assert row["error_type"] == ("MalformedAnswer" if status == 200 else "InvalidRequest")
    assert len(str(row["text"])) <= 1_100_000
    assert len(str(row["raw"])) < 100_000


def test_depth_breaks_nothing(lab: lk.Lab, here: Path, echo: Callable[..., Any]) -> None:
    """S16: JSON nested 100,000 deep, in a dataset, an answer that is scored or a journal line, is refused."""
    deep = "[" * DEEP + "]" * DEEP
    (here / "deep.json").write_text(f'[{{"a": {deep}}}]')
    (here / "deep.jsonl").write_text(f'{{"a": {deep}}}\n')
    for name in ("deep.json", "deep.jsonl"):
        with pytest.raises(DefinitionError):
            lab.plan(prompts=["Say a."], models=[echo()], dataset=name)
    with pytest.raises(NoJson):
        read_json(deep)
    with pytest.raises(journal_line.BrokenLine):
        journal_line.parse(
            journal_line.frame(lk.records.Request, 1, f'{{"request_id": {deep}}}'.encode())[:-1]
        )


def test_nothing_is_read_that_can_run() -> None:
    """S16: no module reads YAML but safely, numpy's pickles, or archives by their own paths."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in FORBIDDEN, path
                loaded = getattr(node.value, "id", "") if node.attr == "load" else ""
                assert loaded not in ("yaml", "np", "torch"), path
            elif isinstance(node, ast.keyword):
                assert node.arg != "allow_pickle", path
