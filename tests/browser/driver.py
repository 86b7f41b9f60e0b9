"""A JupyterLab server, a headless Chromium, and a notebook in it, for tests and benchmarks.

Waits are for states (a kernel idle, a text there), never for a time to pass.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from filelock import FileLock

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"
LONG_S = 40
SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": False},
}
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def find_chromium() -> str | None:
    """`$LABKIT_BROWSER`, a Chromium on the path, or Playwright's own; else gets one, saying so.

    None stands for Playwright's own, which it finds by itself.
    """
    if named := os.environ.get("LABKIT_BROWSER"):
        if not Path(named).is_file():
            raise RuntimeError(f"LABKIT_BROWSER is {named}, which is no file")
        return named
    (ROOT / "build").mkdir(exist_ok=True)
    with FileLock(ROOT / "build" / "chromium.lock"):  # two processes may want one at once
        return _here_or_fetched()


def _here_or_fetched() -> str | None:
    if found := _on_path():
        return found
    if _playwright_has_one():
        return None
    print("no Chromium here; fetching Playwright's own", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if _playwright_has_one():
        return None
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Playwright's could not be fetched; installing Debian's", file=sys.stderr, flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False, env=environment)
    if found := _on_path():
        return found
    raise RuntimeError("The browser tests need Chromium. Install one, or name one in LABKIT_BROWSER.")


def _on_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def _playwright_has_one() -> bool:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).is_file()


PAGE_CONFIG = {
    "buildAvailable": False,
    "buildCheck": False,
    "disabledExtensions": {"@jupyterlab/notebook-extension:export": True},
}
"""What each page would else ask the server for, some 0.9 s each: whether JupyterLab is to be built, and the
formats into which a notebook can be exported."""


class JupyterLab:
    """A server of its own in `folder`: its settings, kernels and files touch nobody else's."""

    def __init__(self, folder: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        for plugin, values in SETTINGS.items():
            self.set(plugin, values)
        own = {
            name: str(folder / name.lower())
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        }
        page_config = Path(own["JUPYTER_CONFIG_DIR"], "labconfig", "page_config.json")
        page_config.parent.mkdir(parents=True)
        page_config.write_text(json.dumps(PAGE_CONFIG))
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("LABKIT_") and "API_KEY" not in name
        }
        weights = {"LABKIT_WEIGHTS": os.environ["LABKIT_WEIGHTS"]} if "LABKIT_WEIGHTS" in os.environ else {}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--ip=127.0.0.1",
                f"--port={self.port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.work}",
                "--LabApp.expose_app_in_browser=True",
                "--LabApp.extension_manager=readonly",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env={**clean, **weights, **own, "JUPYTERLAB_SETTINGS_DIR": str(self._settings), **(env or {})},
            cwd=self.work,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        self._wait()

    @property
    def _settings(self) -> Path:
        return self.folder / "settings"

    @property
    def pid(self) -> int:
        return self._process.pid

    def set(self, plugin: str, values: Mapping[str, Any]) -> None:
        """Write a user setting; a page opened later follows it."""
        package, _, name = plugin.rpartition("/")
        path = self._settings / package / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """A notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={
                "kernelspec": {
                    "name": "python3",
                    "display_name": "Python 3 (ipykernel)",
                    "language": "python",
                },
                "language_info": {"name": "python"},
            },
        )
        path = self.work / name
        nbformat.write(notebook, path)
        return path

    def _wait(self) -> None:
        deadline = time.monotonic() + LONG_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/api/status?token={self.token}", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.close()
        raise RuntimeError(f"JupyterLab did not come up:\n{self.log.read_text()[-2000:]}")

    def close(self) -> None:
        """End the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Notebook:
    """One notebook open in a page. Everything that went wrong in the browser is in `troubles`."""

    def __init__(self, page: Any, server: JupyterLab, name: str) -> None:
        self.page = page
        self.server = server
        self.name = name
        self.troubles: list[str] = []
        self.dialogs: list[str] = []
        self.foreign: list[str] = []
        page.set_default_timeout(LONG_S * 1000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("request", self._request)
        self.goto()

    def goto(self, *, reset: bool = True) -> None:
        """Open it, or open it again, and wait until its kernel is there."""
        query = "reset&" if reset else ""
        self.page.goto(f"{self.server.url}/lab/tree/{self.name}?{query}token={self.server.token}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function("() => !document.querySelector('#jupyterlab-splash')")
        self.page.wait_for_function(
            """() => {
                const button = document.querySelector('.jp-Dialog .jp-mod-accept');
                if (button) button.click();
                const panel = window.jupyterapp.shell.currentWidget;
                const kernel = panel && panel.context && panel.context.sessionContext.session
                  && panel.context.sessionContext.session.kernel;
                return kernel && ['idle', 'busy'].includes(kernel.status);
            }"""
        )

    def run_all(self, *, wait: bool = True) -> None:
        """Run every cell."""
        self._begin("notebook:run-all-cells")
        if wait:
            self.wait()

    def run(self, cell: int, *, wait: bool = True) -> None:
        """Run one cell."""
        self.page.evaluate(
            "(i) => { const p = jupyterapp.shell.currentWidget; p.content.activeCellIndex = i; }", cell
        )
        self._begin("notebook:run-cell")
        if wait:
            self.wait()

    def add(self, source: str) -> int:
        """Put a new code cell at the end; returns its position."""
        return int(
            self.page.evaluate(
                """(source) => {
                    const model = jupyterapp.shell.currentWidget.content.model.sharedModel;
                    model.insertCell(model.cells.length, {cell_type: 'code', source});
                    return model.cells.length - 1;
                }""",
                source,
            )
        )

    def _begin(self, command: str) -> None:
        # The promise is for the end of the execution: it is not waited for here.
        self.page.evaluate("(command) => { void jupyterapp.commands.execute(command); }", command)
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget.content.widgets.some((c) => c.promptNode"
            " && c.promptNode.textContent.includes('*')) || jupyterapp.shell.currentWidget.context"
            ".sessionContext.session.kernel.status === 'busy' || jupyterapp.shell.currentWidget.content"
            ".model.cells.length === 0 || [...jupyterapp.shell.currentWidget.content.model.cells]"
            ".some((c) => c.type === 'code' && c.executionCount)"
        )

    def wait(self) -> None:
        """Wait until no cell runs or waits."""
        self.page.wait_for_function(
            """() => {
                const panel = jupyterapp.shell.currentWidget;
                if (panel.context.sessionContext.session.kernel.status !== 'idle') return false;
                return panel.content.widgets.every((cell) => cell.model.type !== 'code'
                  || (cell.model.executionState || 'idle') === 'idle'
                  && !(cell.promptNode && cell.promptNode.textContent.includes('*')));
            }""",
            timeout=180_000,
        )

    def busy(self) -> bool:
        """Whether a cell runs. (The kernel's own status is idle as soon as a subshell is.)"""
        running = (
            "() => jupyterapp.shell.currentWidget.content.widgets"
            ".some((cell) => cell.promptNode && cell.promptNode.textContent.includes('*'))"
        )
        return bool(self.page.evaluate(running))

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """The outputs of a cell, as saved."""
        found: list[dict[str, Any]] = self.page.evaluate(
            "(i) => { const c = jupyterapp.shell.currentWidget.content.model.cells.get(i);"
            " return c.outputs ? c.outputs.toJSON() : []; }",
            cell,
        )
        return found

    def errors(self) -> list[str]:
        """What cells raised."""
        count = self.page.evaluate("() => jupyterapp.shell.currentWidget.content.model.cells.length")
        return [
            f"cell {cell}: {output['ename']}: {output['evalue']}"
            for cell in range(count)
            for output in self.outputs(cell)
            if output["output_type"] == "error"
        ]

    def save(self) -> None:
        """Save the notebook; returns when it is on disk."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.context.save()")

    def restart(self) -> None:
        """Restart the kernel."""
        self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()"
        )

    def shut_down(self) -> None:
        """End the kernel."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")

    def theme(self, name: str) -> None:
        """Switch JupyterLab to `JupyterLab Light` or `JupyterLab Dark`."""
        self.page.evaluate("(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        light = "true" if name.endswith("Light") else "false"
        self.page.wait_for_function(
            """([name, light]) => {
                const body = document.body;
                const ground = getComputedStyle(body).getPropertyValue('--jp-layout-color1').trim();
                return body.dataset.jpThemeName === name && body.dataset.jpThemeLight === light
                  && (ground === '#fff' || ground === 'white' || ground === '#ffffff') === (light === 'true');
            }""",
            arg=[name, light],
        )
        self.page.wait_for_function("() => !document.querySelector('#jupyterlab-splash')")

    def pictures(self, name: str, *, selector: str | None = None) -> list[Path]:
        """The same picture in the light and in the dark theme."""
        found = []
        for theme in ("Dark", "Light"):
            self.theme(f"JupyterLab {theme}")
            found.append(self.picture(f"{name}-{theme.lower()}", selector=selector))
        return found[::-1]

    def picture(self, name: str, *, selector: str | None = None, path: Path | None = None) -> Path:
        """A screenshot, kept in `build/screenshots`."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = path or PICTURES / f"{name}.png"
        if selector is None:
            self.page.screenshot(path=str(path))
        else:
            self._whole(selector, path)
        return path

    def _whole(self, selector: str, path: Path) -> None:
        # What is higher than the page is pictured whole: the page grows for the moment.
        shown = self.page.locator(selector).first
        size = self.page.viewport_size
        height = int(shown.evaluate("(element) => element.getBoundingClientRect().height")) + 200
        if height > size["height"]:
            self.page.set_viewport_size({"width": size["width"], "height": min(height, 6000)})
        shown.scroll_into_view_if_needed()
        shown.screenshot(path=str(path))
        self.page.set_viewport_size(size)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:", "ws://127.0.0.1")):
            self.foreign.append(request.url)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        try:
            yield browser
        finally:
            browser.close()
