"""Marked keys leave no piece of themselves anywhere: group S1."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import pytest

DIALECTS = {
    "openai": "OPENAI_API_KEY",
    "openai-responses": "HOUSE_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
}
EXPERIMENT = Path(__file__).with_name("experiment.py")


def behaviours(secret: str, elsewhere: str) -> list[dict[str, Any]]:
    """What a server can do to somebody who sent it a key, telling it back where it can."""
    coded = base64.b64encode(f"Bearer {secret}".encode()).decode()
    echo = {"x-echo": secret, "x-request-id": f"req-{secret}", "www-authenticate": f'Bearer realm="{secret}"'}
    said = {"error": {"message": f"bad key {secret[:12]}…{secret[-12:]}", "type": "invalid_request_error"}}
    return [
        {},
        {"status": 400, "body": said, "headers": echo},
        {"status": 422, "body": f"<html>{quote(secret, safe='')} {coded}</html>", "headers": echo},
        {"status": 404, "body": {"detail": {"you sent": {"authorization": f"Bearer {secret}"}}}},
        {"status": 429, "body": said, "headers": {**echo, "retry-after": "0"}},
        {"status": 500, "body": secret * 3},
        {"status": 307, "headers": {"location": f"{elsewhere}/?key={quote(secret)}"}},
        {"status": 302, "headers": {"location": f"{elsewhere}/{secret}"}},
        {"raw": f"data: {secret}\n\n", "content_type": "text/event-stream"},
        {
            "raw": f'{{"error": {{"message": "{secret}", "code": "{secret}"}}}}',
            "content_type": "text/event-stream",
        },
        {"raw": secret, "content_type": f"text/{secret[3:9]}"},
        {
            "error_after": 2,
            "error": {"type": "error", "error": {"message": secret, "type": "overloaded_error"}},
        },
        {"cut_after": 2},
        {"truncate_after": 3},
        {"garble_after": 2},
        {"reset": True},
    ]


def environment(kit: Any, folder: Path) -> dict[str, str]:
    """A person's environment: two keys in it, the third in a private `.env`."""
    dotenv = folder / ".env"
    dotenv.write_text(f"HOUSE_KEY={kit.CANARIES['HOUSE_KEY']}\n")
    dotenv.chmod(0o600)
    keys = {name: kit.CANARIES[name] for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")}
    # What is kept for later, in whatever place, is to be found in the folder too.
    own = {}
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
                 "XDG_RUNTIME_DIR", "IPYTHONDIR", "JUPYTER_DATA_DIR"):  # fmt: skip
        own[name] = str(folder / "own" / name)
        os.makedirs(own[name], mode=0o700, exist_ok=True)
    # A line end after the key is what both SDKs would otherwise show in full.
    keys["OPENAI_API_KEY"] += "\n"
    return {**os.environ, **own, **keys, "PYTHONDEVMODE": "0"}


def searched(kit: Any, folder: Path, *outputs: str) -> int:
    """Look for pieces of the keys in outputs and in every file but `.env`; gives how much was read."""
    read = 0
    for output in outputs:
        assert kit.leaks(output) == set()
        read += len(output)
    for path in folder.rglob("*"):
        if path.is_file() and path.name != ".env":
            content = path.read_bytes()
            read += len(content)
            assert kit.leaks(content) == set(), path.relative_to(folder)
            assert kit.leaks(path.name) == set()
    return read


def test_the_search_finds_keys(kit: Any) -> None:
    """S1: the search itself finds any eight characters of a key, plain, URL-encoded and in base64."""
    for secret in kit.CANARIES.values():
        for text in (secret[5:13], quote(secret, safe="")[9:17], secret.encode().hex()[4:12]):
            assert kit.leaks(f"…{text}…"), text
        for front in ("", "x", "xy"):
            assert kit.leaks(base64.b64encode(f"{front}Bearer {secret}!".encode()))
    assert not kit.leaks("an ordinary text, sk-learn, and 0123456789")


def test_nothing_is_left_of_a_key(kit: Any, here: Path, channel_for: Callable[[str], Any]) -> None:
    """S1, S2: after every fault in every dialect no file, table, log, traceback, pickle, chart, widget state
    or output holds a piece of a key, though the servers did all they could to tell it back."""
    places, channels = {}, {}
    for dialect, name in DIALECTS.items():
        channel = channels[dialect] = channel_for(dialect)
        script = behaviours(kit.CANARIES[name], f"{channel.server}/c/{channel.name}-elsewhere")
        channel.script(*script, {"status": 401, "body": script[1]["body"]}, then={})
        model = channel.model()
        places[f"faulty/{dialect}"] = {
            "dialect": dialect,
            "base_url": str(model.base_url),
            "key_env": name,
        }
    done = subprocess.run(
        [sys.executable, str(EXPERIMENT), json.dumps(places), "30"],
        cwd=here,
        env=environment(kit, here),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert searched(kit, here, done.stdout, done.stderr) > 100_000
    counts = json.loads(done.stdout.strip().splitlines()[-1])
    assert sum(counts.values()) == 90
    shown = (here / "shown.txt").read_text()
    assert "a person's own mistake" in shown
    assert "[key]" in (here / "attempts.json").read_text()
    for dialect, channel in channels.items():
        sent = [{**seen["headers"]} for seen in channel.seen()]
        secret = kit.CANARIES[DIALECTS[dialect]]
        assert sent
        assert all(secret in (one.get("authorization", "") + one.get("x-api-key", "")) for one in sent)


KILLED = """
import faulthandler, logging, sys
faulthandler.enable()
logging.basicConfig(level=logging.DEBUG)
import labkit as lk
models = [lk.Model("openai/m", base_url=sys.argv[1], key_env="OPENAI_API_KEY"),
          lk.Model("house/m", base_url=sys.argv[2], key_env="HOUSE_KEY", dialect="anthropic")]
rows = [{"x": str(number)} for number in range(9)]
lk.Lab("lab.duckdb").plan(prompts=["Say {{ x }}."], models=models, dataset=rows).run(progress="lines")
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGABRT"])
def test_nothing_is_left_by_a_process_that_dies(
    name: str, kit: Any, here: Path, channel_for: Callable[[str], Any]
) -> None:
    """S1: a process that dies in the middle of asking leaves no piece of a key in its journals, locks,
    crash dump, or anywhere else."""
    channel, house = channel_for("openai"), channel_for("anthropic")
    channel.script({}, {}, then={"hang": True})
    house.script({}, then={"hang": True})
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(channel.model().base_url), str(house.model().base_url)],
        cwd=here,
        env=environment(kit, here),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while len(channel.seen()) < 5 or len(house.seen()) < 5:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(getattr(signal, name))
            said, wrong = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode != 0
    assert ("Fatal Python error" in wrong) == (name == "SIGABRT")
    searched(kit, here, said, wrong)
    assert list((here / "lab.duckdb.journal").glob("*-intents-*.jsonl"))


NOTEBOOK = (
    "server = house = ''",
    "import logging; logging.basicConfig(level=logging.DEBUG)\n"
    "import labkit as lk\n"
    "model = lk.Model('openai/m', base_url=server, key_env='OPENAI_API_KEY')\n"
    "lab = lk.Lab(models=[model, lk.Model('house/m', base_url=house, key_env='HOUSE_KEY')])\n"
    "lab.models.frame()",
    "lk.ModelSelector(lab)",
    "lab.models",
    "rows = [{'x': 'a'}, {'x': 'b'}]\n"
    "plan = lab.plan(prompts=['Say {{ x }}.'], models=['openai/m', 'house/m'], dataset=rows)\n"
    "plan",
    "run = plan.run()\nrun",
    "run.generations()[['status', 'error_type', 'error_message']]",
    "%xmode Verbose\nlab.plan(prompts=['Say a.'], models=[model.replace(key_env='NO_SUCH_KEY')]).run()",
)


def test_nothing_is_left_in_a_notebook(kit: Any, here: Path, channel_for: Callable[[str], Any]) -> None:
    """S1: an executed notebook, its page, its logs and its lab hold no piece of a key, also after a failure
    shown with every variable."""
    channel, house = channel_for("openai"), channel_for("openai")
    secret = kit.CANARIES["OPENAI_API_KEY"]
    refusal = {"error": {"message": f"You sent {secret}", "type": "invalid_request_error"}}
    channel.script({}, {"status": 400, "body": refusal, "headers": {"x-echo": secret}}, then={})
    cells = [nbformat.v4.new_code_cell(source) for source in NOTEBOOK]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), here / "book.ipynb")
    command = [Path(sys.executable).with_name("labkit"), "run", "book.ipynb", "--out", "out.ipynb"]
    done = subprocess.run(
        [*command, "-p", "server", str(channel.model().base_url), "-p", "house", str(house.model().base_url)],
        cwd=here,
        env=environment(kit, here),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert searched(kit, here, done.stdout, done.stderr) > 50_000
    executed = (here / "out.ipynb").read_text()
    assert "NO_SUCH_KEY" in executed
    assert "[key]" in executed
    assert len(channel.seen()) == len(house.seen()) == 2


@pytest.mark.parametrize("value", ["sk-Zq7Kp2Vx9Rw4Lt8Nb3Hd6Fj1Mc5Gy", "anything"])
def test_a_key_is_no_parameter_of_a_notebook(value: str, here: Path) -> None:
    """S4: a key given as a notebook's parameter, by its looks or by its name, is refused with advice."""
    (here / "book.ipynb").write_text("{}")
    name = "model" if value.startswith("sk-") else "openai_api_key"
    command = [Path(sys.executable).with_name("labkit"), "run", "book.ipynb", "-p", name, value]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Keep keys in the environment" in " ".join(done.stderr.split())
    assert value not in done.stdout + done.stderr
    assert [path.name for path in here.iterdir()] == ["book.ipynb"]
