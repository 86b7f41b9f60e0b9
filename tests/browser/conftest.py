"""One JupyterLab and one browser for the folder; a fixture that opens notebooks in them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from driver import ROOT, JupyterLab, Notebook, chromium  # noqa: E402 - beside this file, found by the line above


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """JupyterLab in a project folder with this project's data and notebooks."""
    made = JupyterLab(tmp_path_factory.mktemp("jupyter"))
    shutil.copytree(ROOT / "data", made.work / "data")
    shutil.copytree(ROOT / "notebooks", made.work / "notebooks")
    for module in ("models.py", "hostile.py", "labelled.py"):
        shutil.copy(HERE / module, made.work / module)
    yield made
    made.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with chromium() as found:
        yield found


class Served:
    """A fast server on loopback, in a process of its own; what its models say is set for each."""

    def __init__(self, address: str) -> None:
        self.address = address

    def says(self, name: str, text: str, *, a_second: float) -> None:
        """From now on the model `name` answers with `text`, so many words a second."""
        how = {"text": text, "events": len(text.split()), "gap_s": 1 / a_second}
        data = json.dumps({"script": [], "then": how}).encode()
        urllib.request.urlopen(f"{self.address}/script/{name}", data, timeout=10).close()


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """The server of the fault tests, which fails only when told to."""
    program = HERE.parent / "faults" / "server.py"
    process = subprocess.Popen([sys.executable, str(program), "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield Served(f"http://127.0.0.1:{int(process.stdout.readline())}")
    process.terminate()
    process.wait()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remembers that a test failed, so that its pages can be looked at."""
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


Opener = Callable[..., Notebook]


@pytest.fixture
def open_notebook(request: pytest.FixtureRequest, server: JupyterLab, browser: Any) -> Iterator[Opener]:
    """Opens a notebook with these cells. At the end nothing may have gone wrong in the browser: no script
    error, no dialog, no request that leaves this machine."""
    opened: list[Notebook] = []

    def make(
        cells: Sequence[str] = (), *, name: str | None = None, size: tuple[int, int] = (1280, 1000)
    ) -> Notebook:
        if name is None:
            name = f"{request.node.name.replace('[', '-').replace(']', '')}-{len(opened)}.ipynb"
            server.write(name, cells)
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        opened.append(Notebook(page, server, name))
        return opened[-1]

    yield make
    if request.node.stash.get(FAILED, False):
        for number, one in enumerate(opened):
            print(f"{one.name}: {one.errors()}", file=sys.stderr)
            one.picture(f"failed-{request.node.name}-{number}")
    troubles = [trouble for one in opened for trouble in (*one.troubles, *one.dialogs, *one.foreign)]
    for one in opened:
        one.shut_down()
        one.page.close()
    assert troubles == []
