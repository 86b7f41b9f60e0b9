"""A server that sends the key back, wherever it can: nothing that is kept or shown holds it."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from click.testing import CliRunner

import labkit as lk
from labkit.cli.main import labkit
from labkit.keys import Key

DIALECTS = ("openai", "openai-responses", "anthropic")


def behaviours(secret: str) -> list[dict[str, Any]]:
    """The key in the text, whole, split and escaped; in the id and the model; in headers; in errors."""
    said = {"error": {"message": f"not with {secret}", "type": "invalid_request_error", "code": secret}}
    echo = {"x-request-id": secret, "request-id": secret, "x-echo": f"Bearer {secret}"}
    whole = {"id": secret, "model": secret, "choices": [{"message": {"content": secret}}]}
    escaped = "".join(f"\\u{ord(one):04x}" for one in secret)
    spellings = (
        escaped,
        "".join(f"%{ord(one):02X}" for one in secret),
        "\u200b".join(secret),
        base64.b64encode(secret.encode()).decode(),
    )
    return [
        *({"text": f"It is {secret}, yes.", "events": events, "headers": echo} for events in (1, 3, 40)),
        *({"text": f"It is {one}, yes.", "events": n} for one in spellings for n in (1, 60)),
        {"text": f"<think>It is {secret}</think>So {escaped}.", "events": 30},
        {"status": 400, "body": said, "headers": echo},
        {"status": 401, "body": json.dumps(said).replace(secret, escaped), "headers": echo},
        {"status": 400, "body": f"<p>{secret}</p>", "headers": echo},
        {"raw": json.dumps(whole), "headers": echo},
        {"error_after": 2, "error": {"type": "error", **said}},
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_sent_back_is_not_kept(
    dialect: str, channel_for: Callable[[str], Any], put: Callable[..., Any], key: Key
) -> None:
    """In no row, no attempt and nothing a watcher was told is there as much as half of the key, plain or as
    JSON spells it."""
    secret = key.reveal()
    pieces = [secret[at : at + 12] for at in range(len(secret) - 11)]
    for how in behaviours(secret):
        channel = channel_for(dialect)
        channel.script(then=how)
        ran = put(channel.model())
        assert channel.seen()
        kept = [msgspec.json.encode(row).decode() for row in (*ran.sink.generations, *ran.sink.attempts)]
        kept += [repr(one) for one in vars(ran.sink).values()]
        for text in kept:
            plain = text.encode().decode("unicode_escape", "replace")
            assert not any(piece in text or piece in plain for piece in pieces), (how, text)
        assert ran.sink.generations, how


def told(text: str) -> str:
    """The text with the escapes of JSON and of addresses, and without characters that have no width."""
    plain = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return unquote(plain).replace("\u200b", "").replace("â\x80\x8b", "")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_sent_back_is_in_no_file_and_nothing_shown(
    dialect: str,
    channel_for: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Journals while it goes, the lab's file and its log, the live grid, frames, the report, exports, logs
    and what the command prints: half of the key is in none of them."""
    secret = "sk-test-Qm7vXw2LpZr9TkHs4YbN"  # no part of it stands in a page's scripts by right
    pieces = [secret[at : at + 12] for at in range(len(secret) - 11)]
    monkeypatch.setenv("ECHO_KEY", secret)
    monkeypatch.setenv("COLUMNS", "400")
    caplog.set_level(logging.DEBUG, logger="labkit")
    channel = channel_for(dialect)
    every = [how for how in behaviours(secret) if how.get("status") != 401]  # that stops the model
    channel.script(by={f"say {place}": [how] * 9 for place, how in enumerate(every)})
    lab = lk.Lab(tmp_path / "lab.duckdb")
    model = channel.model(key_env="ECHO_KEY")
    plan = lab.plan(
        prompts=["say {{ n }}"], models=[model], dataset=[{"n": n} for n in range(len(every))],
        scorers=[lk.Scorer("length", lambda generation, sample: len(generation.text))],
    )  # fmt: skip
    shown: list[str] = []

    def look() -> None:
        for file in tmp_path.rglob("*"):
            if file.is_file():
                shown.append(f"{file.name} {file.read_bytes().decode('latin-1')}")

    patience = lk.Policy(backoff_s=0.01, backoff_cap_s=0.05, timeout_s=5, deadline_s=20)
    run = plan.start(policy=patience, progress="none", allow_unpriced=True)
    grid = lk.LiveGrid(run)
    run.wait()
    look()
    shown.append(str(grid._repr_mimebundle_()))
    frames = [run.generations(), run.attempts(), run.maybe_paid(), run.summary(), lab.sql("from generations")]
    shown += [frame.to_json(date_format="iso", default_handler=str) for frame in frames]
    shown += [repr(run), run._repr_html_(), str(run.left), repr(run.limits)]
    run.report(tmp_path / "page.html")
    run.report(tmp_path / "page.md")
    run.card(tmp_path / "card.json")
    for table in ("generations", "attempts"):
        for kind in ("csv", "jsonl", "parquet"):
            run.export(tmp_path / f"{table}.{kind}", table=table)
    lab.export(tmp_path / "all")
    look()
    for words in (["show"], ["show", "--json"], ["runs"], ["sql", "from generations", "--json"]):
        done = CliRunner().invoke(labkit, [*words, "--lab", str(tmp_path / "lab.duckdb")])
        shown.append(done.output)
    shown += [record.getMessage() for record in caplog.records]
    shown += list(capfd.readouterr())
    assert len(channel.seen()) >= len(every)
    assert (frames[0]["status"] == "done").any()
    assert any(one.startswith("lab.duckdb ") for one in shown)
    assert any(".jsonl " in one and "It is" in one for one in shown)
    for one in shown:
        assert not any(piece in text for text in (one, told(one)) for piece in pieces), one[:200]
