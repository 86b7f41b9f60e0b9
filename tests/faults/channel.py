"""The fault server in a process of its own, and a test's place at it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.catalog.model import Model

HERE = Path(__file__).parent


@dataclass
class Channel:
    """One test's place at the fault server."""

    server: str
    name: str
    dialect: str
    models: list[str] = field(default_factory=list)

    def script(
        self,
        *behaviours: dict[str, Any],
        then: dict[str, Any] | None = None,
        by: dict[str, list[dict[str, Any]]] | None = None,
    ) -> None:
        """What happens to the next requests, one each, and to all after them; `by` the text of a request's
        last message, what happens to those that say it."""
        self._call("script", {"script": list(behaviours), "then": then or {}, "by": by or {}})

    def down(self, for_s: float) -> None:
        """Break all connections and refuse new ones for so long: the server's, not only this channel's."""
        self._call("down", {"for_s": for_s})

    def asked(self) -> dict[str, list[dict[str, Any]]]:
        """What arrived, by the text of the last message."""
        found: dict[str, list[dict[str, Any]]] = {}
        for seen in self.seen():
            said = seen["body"].get("messages") or seen["body"]["input"]
            found.setdefault(str(said[-1]["content"]), []).append(seen)
        return found

    def seen(self) -> list[dict[str, Any]]:
        """What arrived: time, path, headers, body; and when its first text left, when it ended, whether it
        was answered as a whole, and the counts that were drawn for it."""
        seen: list[dict[str, Any]] = self._call("seen")["seen"]
        return seen

    def peak(self) -> int:
        """Most requests out at once."""
        return int(self._call("seen")["peak"])

    def model(self, name: str = "m", **more: Any) -> Model:
        """A model that is asked here."""
        tail = "/v1" if self.dialect.startswith("openai") else ""
        base = f"{self.server}/c/{self.name}{tail}"
        self.models.append(f"faulty/{name}")
        return Model(f"faulty/{name}", dialect=self.dialect, base_url=base, **more)

    def _call(self, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.server}/{what}/{self.name}", data, timeout=10) as response:
            return json.load(response)


def start(port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """The fault server in a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{int(process.stdout.readline())}"
