"""Passwords as argon2id hashes, computed in threads, at most two at a time in a process.

Each computation takes 64 MiB: as many as anybody wishes would be a way to take the machine's memory. It does
not know whose a password is, nor how often one may be tried: see `throttle`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
from anyio.to_thread import run_sync
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from labkit.errors import DefinitionError
from labkit.server.problems import unavailable

SHORTEST, LONGEST = 8, 1024
"""Characters."""
AT_ONCE = 2
WAIT_S = 1.0
"""How long a log-in waits for its turn."""

_HASHER = PasswordHasher()
# Looked at for a name that nobody has, so that its refusal takes as long as that of a wrong password.
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$I5Wt724g5zJGR+uE7OE5xw$4DNIsQyZeByjgRnDrR0OmM1aKVO+du0xS92YxewQ4PU"

P = ParamSpec("P")
T = TypeVar("T")


def check(password: str) -> str:
    """It, if it can be one. Raises `DefinitionError`.

    >>> check("short")
    Traceback (most recent call last):
    labkit.errors.DefinitionError: The password has 5 characters; give one of 8 to 1,024.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise DefinitionError(
            f"The password has {len(password):,} characters; give one of {SHORTEST} to {LONGEST:,}."
        )
    if "\0" in password:
        raise DefinitionError("The password holds a NUL character; give one without.")
    return password


def hashed(password: str) -> str:
    """What to keep of a password. Raises `DefinitionError` for one that cannot be."""
    return _HASHER.hash(check(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password that `kept` was made of. None: it is not, and that takes as long to say."""
    try:
        is_it = _HASHER.verify(kept or _NOBODYS, password)
    except (VerificationError, InvalidHashError):
        return False
    return is_it and kept is not None


class Turns:
    """The places at which passwords are computed, of one process."""

    def __init__(self) -> None:
        self._places = anyio.Semaphore(AT_ONCE)
        self._threads = anyio.CapacityLimiter(AT_ONCE)

    async def run(self, work: Callable[P, T], *given: P.args, **more: P.kwargs) -> T:
        """What `work` gives, in a thread. Raises 503 where there was no place in time."""
        with anyio.move_on_after(WAIT_S) as waiting:
            await self._places.acquire()
        if waiting.cancelled_caught:
            raise unavailable("Too many log-ins at this moment. Try again in a few seconds.")
        try:
            return await run_sync(lambda: work(*given, **more), limiter=self._threads)
        finally:
            self._places.release()
