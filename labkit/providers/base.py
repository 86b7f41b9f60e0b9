"""The seam every provider implements: a request in, an answer out, its text told while it comes.

A provider translates and nothing more. It reads no clock, retries nothing, holds no limit, and
knows neither the engine nor the store.
"""

from __future__ import annotations

from typing import Protocol

from labkit.records import Answer, Listener, Request

REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid")
"""Headers by which a provider finds a request again; they are kept with each attempt."""


class Provider(Protocol):
    """A connection to one endpoint with one key. Belongs to the loop it was made for.

    Every provider module has two functions beside its class:
    `connect(model, key) -> Provider`, called off the loop since making an SDK client takes 27 ms,
    and `identity(model) -> str | None`, the endpoint's identity in `request_id` (None: answers can
    not be identified, so they are never replayed).
    """

    async def ask(self, request: Request, listener: Listener) -> Answer:
        """Send `request` and return how the answer ended.

        Visible text goes to `listener.text` as it arrives, everything else that arrives to
        `listener.event`. Raises a `ProviderError` for anything that is not a finished answer; what
        was told to the listener before is then a partial answer.
        """

    async def count_tokens(self, request: Request) -> int | None:
        """The exact number of input tokens where the endpoint can tell for free, else None."""

    async def close(self) -> None:
        """Release sockets and servers."""
