"""What every route of one process works with: settings, state, lab. Made once, closed once.

It does not know routes.
"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request

from labkit.lab import Lab
from labkit.server import passwords, signing_keys
from labkit.server.access_tokens import Signer
from labkit.server.settings import Settings
from labkit.server.state import State


class Service:
    """One process of the service. `lab` is one whose catalog may hold models of your own."""

    def __init__(self, settings: Settings, lab: Lab | None = None) -> None:
        self.settings = settings.check()
        self.signer = Signer(signing_keys.found(settings))
        self.turns = passwords.Turns()
        self.state = State(settings.database)
        self.lab = lab or Lab(settings.lab)
        self.closing = False
        """New work is refused: the process ends."""

    def close(self) -> None:
        """Let go of everything."""
        self.state.close()


def now_us() -> int:
    """This moment in microseconds since 1970."""
    return time.time_ns() // 1000


def _of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


Served = Annotated[Service, Depends(_of)]
"""A route's parameter of this type is the process's service."""
