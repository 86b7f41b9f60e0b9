"""A caller of the service that goes on through kills, and keeps what it was told."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from tests.server.processes.serve_process import ServeProcess

MODELS = ("faulty/one", "faulty/two")
AGAIN_S = 0.1


class Streamed:
    """What one reader has of a run: it takes whole events alone, and goes on where it was."""

    def __init__(self) -> None:
        self.run: str | None = None
        self.last_id: str | None = None
        self.numbers: list[int] = []
        self.texts: dict[str, str] = defaultdict(str)
        self.kinds: dict[str, list[str]] = defaultdict(list)
        self.runs: list[dict[str, Any]] | None = None
        """The array of the last event."""
        self.reason: str | None = None

    def read(self, answer: httpx2.Response) -> None:
        """All there is until the connection ends, however it does."""
        rest = b""
        self.reason = None
        try:
            for received in answer.iter_raw():
                *whole, rest = (rest + received).split(b"\n\n")
                for block in whole:
                    self._take(block.decode())
        except httpx2.TransportError:
            pass  # whoever sent it was killed

    def _take(self, block: str) -> None:
        fields = dict(line.partition(": ")[::2] for line in block.split("\n"))
        if "data" not in fields:
            return
        if "id" in fields:
            self.last_id = fields["id"]
            self.run, _, number = fields["id"].rpartition("-")
            self.numbers.append(int(number))
        told = json.loads(fields["data"])
        if fields["event"] == "end":
            self.reason = told["data"].get("reason")
            self.runs = told["data"].get("runs", self.runs)
            return
        model = told["modelId"]
        self.kinds[model].append(fields["event"])
        if fields["event"] == "start":
            self.texts[model] = ""
        elif fields["event"] == "token":
            self.texts[model] += told["data"]["token"]


class Caller(threading.Thread):
    """Asks one thing after the other, in every way there is, until told to stop; comes again to streams that
    broke off. `answered` are runs answered whole, `accepted` those by 202, by their ids."""

    def __init__(
        self, service: ServeProcess, name: str, seed: int, ways: Sequence[str] = ("whole", "later", "stream")
    ) -> None:
        super().__init__(daemon=True)
        self.ways = ways
        self.finishes = True
        """Whether it comes again to streams that broke off."""
        self.service, self.called, self.chance = service, name, random.Random(seed)
        self.answered: dict[str, dict[str, Any]] = {}
        self.accepted: dict[str, dict[str, Any]] = {}
        self.streams: list[Streamed] = []
        self.refused: list[httpx2.Response] = []
        self.asked = 0
        self.trouble: BaseException | None = None
        self._over = threading.Event()
        self._client = httpx2.Client(timeout=60)

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._ask()
            for stream in self.streams if self.finishes else ():
                self._finish(stream)
        except Exception as error:  # noqa: BLE001 - the test tells it
            self.trouble = error

    def stop(self) -> None:
        """Ask nothing more, and read what is open to its end."""
        self._over.set()

    def _ask(self) -> None:
        self.asked += 1
        models = self.chance.choice([MODELS, MODELS[:1], MODELS[1:]])
        body = {"prompt": f"{self.called} {self.asked}", "model_ids": models}
        way = self.chance.choice(self.ways)
        try:
            if way == "stream":
                self._stream(body)
            else:
                self._plain(body, {"Prefer": "respond-async"} if way == "later" else {})
        except httpx2.TransportError:
            time.sleep(AGAIN_S)  # until somebody listens again

    def _plain(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        answer = self._client.post(self._at("/execute"), json=body, headers=self._headers(headers))
        if answer.status_code >= 300:
            self.refused.append(answer)
            time.sleep(AGAIN_S)  # until it takes work again
            return
        kept = self.accepted if answer.status_code == 202 else self.answered
        kept.update((one["id"], one) for one in answer.json())

    def _stream(self, body: Mapping[str, Any]) -> None:
        headers = self._headers({"Accept": "text/event-stream"})
        streamed = Streamed()
        with self._client.stream("POST", self._at("/execute"), json=body, headers=headers) as answer:
            if answer.status_code != 200:
                answer.read()
                self.refused.append(answer)
                return
            self.streams.append(streamed)
            streamed.read(answer)

    def _finish(self, stream: Streamed) -> None:
        """Read the rest of it, wherever it was left."""
        while stream.runs is None and stream.run is not None:
            headers = self._headers({"Last-Event-ID": stream.last_id or ""})
            try:
                with self._client.stream(
                    "GET", self._at(f"/runs/{stream.run}/events"), headers=headers
                ) as answer:
                    assert answer.status_code == 200, (answer.status_code, answer.read())
                    stream.read(answer)
            except httpx2.TransportError:
                time.sleep(AGAIN_S)  # until somebody listens again

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**self.service.bearer(), **more}

    def _at(self, path: str) -> str:
        return f"{self.service.url}/api/v1{path}"
