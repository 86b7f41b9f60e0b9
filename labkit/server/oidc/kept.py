"""A value that is loaded when it is first asked for, and kept for a while by this process.

It does not know what it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """What `load` gives, for `life_s`. Those who ask while it is loaded wait for the same load."""

    def __init__(
        self, load: Callable[[], Awaitable[Value]], *, life_s: float, renewed_every_s: float
    ) -> None:
        self._load = load
        self._life_s = life_s
        self._renewed_every_s = renewed_every_s
        self._value: Value | None = None
        self._loaded_s = self._renewed_s = float("-inf")
        self._loading: asyncio.Future[Value] | None = None

    async def get(self) -> Value:
        """It, at most `life_s` old. Raises what `load` raises."""
        if self._value is None or monotonic() - self._loaded_s > self._life_s:
            return await self._loaded()
        return self._value

    async def renewed(self) -> Value:
        """It, loaded anew, where that was not asked for within the last `renewed_every_s`."""
        if monotonic() - self._renewed_s < self._renewed_every_s:
            return await self.get()
        self._renewed_s = monotonic()
        return await self._loaded()

    async def _loaded(self) -> Value:
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
            self._loading.add_done_callback(self._done)
        # One who goes away while it is loaded takes it from nobody else.
        return await asyncio.shield(self._loading)

    def _done(self, loading: asyncio.Future[Value]) -> None:
        self._loading = None
        if not loading.cancelled() and loading.exception() is None:
            self._value, self._loaded_s = loading.result(), monotonic()
