"""What many requests leave behind in a process, and what it says when it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.alone

KIT = Path(__file__).parents[1] / "engine" / "conftest.py"
ASKER = """
    import gc, importlib.util, json, os, pathlib, resource, sys, time
    from labkit.catalog.model import Model
    from labkit.engine import event_loop
    from labkit.engine.executor import Executor
    from labkit.keys import Key
    from labkit.providers.script import Script
    spec = importlib.util.spec_from_file_location("kit", sys.argv[1])
    kit = importlib.util.module_from_spec(spec); sys.modules["kit"] = kit; spec.loader.exec_module(kit)

    class Forgetting:
        def __init__(self): self.done = 0
        def intent(self, intent): pass
        def attempt(self, attempt): pass
        def generation(self, generation, stored):
            self.done += generation.status == "done"
            stored()

    class Nothing(list):
        def append(self, one): pass

    def ask(models, count):
        sink = Forgetting()
        keys = {model.id: Key("sk-test-0123456789", source="the test") for model in models}
        executor = Executor({model.id: model for model in models}, keys, sink=sink)
        event_loop.run(executor.execute(kit.jobs_for(models, count))).result(120)
        return sink.done

    def held():
        gc.collect()
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20, len(os.listdir("/proc/self/fd"))

    count = int(sys.argv[2])
    scripted = Model("scripted/a", client=Script(lambda request: "one two three"))
    scripted.client.asked = Nothing()
    real = [Model(f"faulty/{d}", dialect=d, base_url=u, concurrency=16)
            for d, u in zip(sys.argv[3::2], sys.argv[4::2])]
    ask(real, 100)
    ask([scripted], 2000)
    before, files = held()
    done = sum(ask([scripted], 1000) + ask(real, 20) for _ in range(count // 1000))
    after, files_after = held()
    idle = time.monotonic()
    while files_after > files and time.monotonic() < idle + 15:
        time.sleep(0.2)  # idle connections are kept for some seconds
        files_after = held()[1]
    print(json.dumps([done, after - before, files_after - files]))
    # And out, without closing anything.
"""


def _left(channels: list[Any], count: int) -> tuple[int, float, int]:
    """Ask so many scripted requests and some over sockets in a fresh process; gives how many were done, the
    megabytes and the open files it gained. It may say nothing on its way out."""
    models = [(channel.dialect, channel.model().base_url) for channel in channels]
    told = [str(KIT), str(count), *(word for pair in models for word in pair)]
    warned = [sys.executable, "-W", "always::ResourceWarning", "-c", textwrap.dedent(ASKER), *told]
    process = subprocess.run(warned, capture_output=True, text=True, timeout=280, check=False)
    assert process.stderr == ""
    assert process.returncode == 0
    done, grown_mb, files = json.loads(process.stdout)
    return done, grown_mb, files


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_thousands_leave_nothing_behind(channel_for: Callable[[str], Any]) -> None:
    """Three thousand requests leave less than 20 MB and no open file behind, once idle connections
    are let go, and the process that asked them ends without a word of closed loops or open connections."""
    done, grown_mb, files = _left([channel_for("openai"), channel_for("anthropic")], 3000)
    assert done == 3000 + 3 * 40
    assert grown_mb < 20
    assert files <= 2


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_fifty_thousand_leave_nothing_behind(channel_for: Callable[[str], Any]) -> None:
    """Fifty thousand leave less than 50 MB and no open file behind, and not a word."""
    done, grown_mb, files = _left([channel_for("openai"), channel_for("anthropic")], 50_000)
    print(f"{grown_mb:.1f} MB more after {done:,} requests, {files} files")
    assert done == 50_000 + 50 * 40
    assert grown_mb < 50
    assert files <= 2
