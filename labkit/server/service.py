"""What every route of one process works with: settings, state, lab, streams. Made once, closed once.

It does not know routes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from sqlalchemy import select

from labkit import provenance
from labkit.errors import StoreError
from labkit.lab import Lab
from labkit.prompts import Prompt
from labkit.server.accounts import audit, passwords, signing_keys
from labkit.server.accounts.access_tokens import Signer
from labkit.server.accounts.holding import holding
from labkit.server.executions import history, idempotency
from labkit.server.executions.blocks import Blocks
from labkit.server.executions.index import Index
from labkit.server.model_list import ModelList
from labkit.server.oidc import identities
from labkit.server.oidc.provider import Provider
from labkit.server.problems import unavailable
from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Execution
from labkit.server.streams.board import Board

DAY_US = 86_400_000_000
MOST_VERSIONS = 1_000
"""Of so many prompts, which differ by their blocks, the version is remembered."""
LEAVE_S = 2.0
"""How long a process that ends waits for what is being admitted, and for the last rows of its runs."""


class Going(Protocol):
    """A run that this process drives."""

    def stop(self, reason: str) -> None: ...


class Service:
    """One process of the service. `lab` is one whose catalog may hold models of your own."""

    def __init__(self, settings: Settings, lab: Lab | None = None) -> None:
        self.settings = settings.check()
        self.signer = Signer(signing_keys.found(settings))
        self.turns = passwords.Turns()
        self.state = State(settings.database)
        self.oidc = self._provider()
        self.lab = lab or Lab(settings.lab)
        self.folder = Path.cwd()
        self.origin = provenance.collect(self.folder)
        self.models = ModelList(self.lab.models, self.folder)
        self.blocks = Blocks(self.lab.store)
        self.index = Index(self.state, self.lab.store)
        self.board = Board(self.state, holding=holding, rebuilt=self.runs)
        self.asked: dict[str, Going] = {}
        """The runs that this process drives, by id."""
        self._lab_file: tuple[int, int] | None = None
        self.closing = False
        """New work is refused: the process ends."""
        self._admitting: set[object] = set()
        self._versions: dict[str, dict[str, int]] = {}

    def warm_up(self) -> None:
        """Load what reads the lab and open it once: whoever comes first need not wait for that, holding up
        the others."""
        with suppress(StoreError):  # those who come are told
            self.lab.store.table("select 1")

    def check_open(self) -> None:
        """Raise 503 where new work is refused."""
        if self.closing:
            raise unavailable("The service is restarting. Ask again in a moment.")
        there = _identity(self.settings.lab)
        if self._lab_file is None:
            self._lab_file = there
        elif there != self._lab_file:  # what is answered now would go into another file
            raise unavailable(
                f"The lab {self.settings.lab.name} was moved or replaced while it is served. "
                "Stop the service, put the lab back with the .wal that was beside it, and start again."
            )

    @contextmanager
    def admitting(self) -> Iterator[None]:
        """A block in which work is admitted, for which an end waits. Raises 503 where it is refused."""
        one = object()
        self._admitting.add(one)  # before it looks: an end that this does not see waits for it
        try:
            self.check_open()
            yield
        finally:
            self._admitting.discard(one)

    def leave(self) -> None:
        """Refuse new work, end what goes, keep what it has so far and tell everyone who waits. From any
        thread."""
        self.closing = True
        stopped: set[str] = set()
        deadline = time.monotonic() + LEAVE_S
        while (self._admitting or self.asked) and time.monotonic() < deadline:
            for run_id, going in list(self.asked.items()):
                if run_id not in stopped:
                    stopped.add(run_id)
                    going.stop("the service is restarting")
            time.sleep(0.02)  # their threads are writing
        self.board.end_readers()

    def forget_old(self) -> None:
        """Delete what a day has made useless, and what was audited long ago; ended log-ins and old tries go
        when others come."""
        before_us = now_us() - DAY_US
        self.board.forget(before_us)
        with self.state.writing(durable=False) as session:
            idempotency.forget(session, before_us)
            audit.forget(session)

    def close(self) -> None:
        """Let go of everything."""
        self.leave()
        self.board.close()
        self.lab.store.close()
        self.state.close()

    def _provider(self) -> Provider | None:
        oidc = self.settings.oidc
        if oidc is None:
            return None
        with self.state.reading() as rows:
            identities.check(rows, oidc)
        return Provider(oidc, self.settings.url)

    def versions(self, prompt: Prompt) -> dict[str, int]:
        """The prompt's version in the lab, by its name; it is saved there if it is not yet."""
        known = self._versions.get(prompt.hash)
        if known is None:
            (saved,) = self.lab.store.save_prompts([prompt])
            if len(self._versions) >= MOST_VERSIONS:
                self._versions.clear()
            known = self._versions[prompt.hash] = {prompt.name: saved.version or 1}
        return known

    def runs(self, run_id: str) -> list[dict[str, Any]]:
        """The `PromptRun`s of a run, whole."""
        with self.state.reading() as session:
            rows = list(
                session.scalars(
                    select(Execution).where(Execution.run_id == run_id).order_by(Execution.position)
                )
            )
        return [
            history.prompt_run(row, prompt=prompt, text=text)
            for row in rows
            for prompt, text in [self.index.whole(row)]
        ]


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file it is, wherever it is moved to; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


async def _of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


Served = Annotated[Service, Depends(_of)]
"""A route's parameter of this type is the process's service."""
