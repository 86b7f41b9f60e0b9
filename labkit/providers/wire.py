"""The one wire: an SDK's client, asked with a plain dict, its raw response read as it comes in.

The SDK brings credentials, base URLs, headers and its aiohttp transport; its retries, redirects and
typed models stay out. From the first byte sent to the last one read it is one exchange, whose clocks and
faults are told together. It knows no dialect: what is inside an event is for the dialect's own module.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import httpx2

from labkit.catalog.model import Model
from labkit.endpoints import check_base_url
from labkit.errors import DefinitionError, MalformedAnswer, ProviderError
from labkit.keys import Key, echo, scrub
from labkit.providers import aws_frames, failures, lenient, sse
from labkit.providers.base import REQUEST_IDS
from labkit.providers.http import Arrived
from labkit.providers.reading import Reading
from labkit.providers.sse import EventParser, EventTooLarge
from labkit.records import Answer, Listener

LARGEST_BYTES = 64 * 1024 * 1024
"""Of one answer, decoded: many times what any model writes. A server that means ill could send more."""
_CLOSING_S = 2.0
"""How long a connection is read after the last event, while others go on."""
_ERROR_CHARS = 2000
_OPTIONS = {"max_retries": 0, "follow_redirects": False}


_KEYS = (
    "api_key", "auth_token", "access_token", "admin_api_key", "aws_access_key", "aws_secret_key",
    "aws_session_token", "_azure_ad_token",
)  # fmt: skip
"""Where the clients of the SDKs hold what may not be shown."""
NO_KEY = "no-key"
"""What an SDK is given where the endpoint needs no key: it insists on something."""


def identity(model: Model, default_url: str) -> str | None:
    """The normal form of the base URL that `model` is asked at; None for a client that shows none."""
    url = model.base_url or default_url
    if model.client is not None:
        url = str(getattr(model.client, "base_url", None) or "")
    return check_base_url(url, allow_host=model.allow_host)[0] or url.rstrip("/") or None


def keys_of(client: Any) -> list[Key]:
    """The keys that an SDK client holds, so that they can be taken out of what it says."""
    found = []
    for name in _KEYS:
        text = getattr(client, name, None)
        if isinstance(text, str) and text.strip() and text != NO_KEY:
            try:
                found.append(Key(text, source="the client"))
            except DefinitionError:
                # Not a key that any server takes; its refusal will say so without it.
                continue
    return found


def withheld(variable: str, omit: Any) -> dict[str, Any]:
    """Headers that `variable` adds to every client of an SDK, as headers to leave out (`omit`).

    They are meant for the provider's own endpoint and must not reach another.
    """
    lines = os.environ.get(variable, "").split("\n")
    return {line.partition(":")[0].strip(): omit for line in lines if ":" in line}


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Wire:
    """Asks one endpoint through one SDK client, and turns whatever goes wrong into a `ProviderError`."""

    def __init__(self, client: Any, *, who: str, keys: Sequence[Key] = (), owned: bool = True) -> None:
        self._client = client
        self._who = who
        self._keys = tuple(keys)
        self._echo = echo.echo_of(self._keys)
        self._owned = owned
        self._leaving: set[asyncio.Task[None]] = set()
        # The SDKs join base URL and path anew for every request, which parses both each time.
        self._base = str(client.base_url).rstrip("/") if owned else ""
        # What `http.client` made, where the SDK's client was made for this wire.
        self._again = getattr(getattr(client, "_client", None), "again", None) if owned else None

    def __repr__(self) -> str:
        return f"Wire({self._who})"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        # A pickled SDK client would hold its key.
        raise TypeError("a connection cannot be pickled; let the other process make its own")

    @property
    def who(self) -> str:
        """The endpoint, as messages name it."""
        return self._who

    def heard(self, listener: Listener) -> Listener:
        """`listener`, to which no key of this endpoint's comes."""
        return listener if self._echo is None else echo.Unechoed(listener, self._echo)

    async def ask(self, path: str, body: Mapping[str, Any], listener: Listener, reading: Reading) -> Answer:
        """Send `body` to `path`, let `reading` read what comes back, and give what it makes of it."""
        failure: ProviderError
        try:
            response = await self._sent(path, body)
            headers = reading.headers = self._told(_headers(response))
            chunks = _chunks(response, headers)
            goes_on = False
            try:
                listener.opened(headers)
                goes_on = await self._read(chunks, listener, reading)
            finally:
                if goes_on and not (isinstance(response, Arrived) and response.ended):
                    self._leave(chunks, response)
                else:
                    await chunks.aclose()
                    await response.aclose()
            answer = reading.answer()
            return answer if self._echo is None else echo.cleaned(answer, self._echo)
        except Exception as error:  # noqa: BLE001 - every failure of a call becomes a row, none may pass by
            failure = failures.translate(error, who=self._who, keys=self._keys)
        finally:
            if isinstance(listener, echo.Unechoed):
                listener.rest()
        raise failure

    async def fetch(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Send `body` to `path` and give back what came, unread."""
        failure: ProviderError
        try:
            return bytes((await self._post(path, body)).content)
        except Exception as error:  # noqa: BLE001 - as above
            failure = failures.translate(error, who=self._who, keys=self._keys)
        raise failure

    async def close(self) -> None:
        """Close the client, if it was made for this wire: a client of the user's own stays open."""
        # A task cancelled before its first step would leave its connection open.
        await asyncio.sleep(0)
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        if self._owned:
            await self._client.close()

    def _told(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers, without a key in that which is kept."""
        for name in REQUEST_IDS:
            if name in headers:
                headers[name] = scrub(headers[name], self._keys)
        return headers

    async def _sent(self, path: str, body: Mapping[str, Any]) -> Any:
        """The response, its body to be read: like the SDK's first, or else by the SDK."""
        if self._again is not None and (content := _json(body)) is not None:
            response = await self._again(self._base + path, content)
            if response is not None:
                return response
        return await self._post(path, body, stream=True, stream_cls=_NoTypedStream)

    async def _post(self, path: str, body: Mapping[str, Any], **more: Any) -> Any:
        return await self._client.post(
            self._base + path, body=dict(body), cast_to=httpx2.Response, options=_OPTIONS, **more
        )

    async def _read(self, chunks: AsyncGenerator[bytes, None], listener: Listener, reading: Reading) -> bool:
        """Let `reading` read the body as what it is, whatever was asked for and whatever its head calls it.

        True: the last event came, and the body may go on all the same.
        """
        if reading.headers.get("content-type", "").startswith(aws_frames.CONTENT_TYPE):
            return await _events(b"", chunks, listener, reading, aws_frames.FrameParser())
        begin, form = b"", None
        async for chunk in chunks:
            begin = (begin + chunk).lstrip(sse.BLANK)
            form = sse.form(begin)
            if form is not None:
                break
            listener.event()
        if form == "events":
            return await _events(begin, chunks, listener, reading, EventParser())
        if form != "json":
            raise await self._no_answer(begin, chunks, reading.headers.get("content-type", "no type"))
        found = lenient.documents(await _together(begin, chunks, listener))
        if len(found) > 1:
            return any(map(reading.take, found))
        reading.whole(found[0])
        return False

    async def _no_answer(self, begin: bytes, chunks: AsyncIterator[bytes], kind: str) -> MalformedAnswer:
        async for chunk in chunks:
            if len(begin) > _ERROR_CHARS:
                break
            begin += chunk
        text = begin[:_ERROR_CHARS].decode("utf-8", "replace")
        return MalformedAnswer(
            f"{self._who} answered 200 with {kind.partition(';')[0]} instead of an answer: {text[:200]!r}",
            status=200,
            raw=text,
        )

    def _leave(self, chunks: AsyncGenerator[bytes, None], response: Any) -> None:
        """Read what follows the last event beside what goes on, so that the connection can be used again."""
        task = asyncio.get_running_loop().create_task(_drain(chunks, response))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _json(body: Mapping[str, Any]) -> bytes | None:
    """The body, byte for byte as the SDKs write it; None where it holds what only they can write."""
    try:
        return _encode(body).encode()
    except TypeError:
        return None


class _NoTypedStream:
    """Stands where the SDKs want the class of a typed stream; a raw response never makes one."""


def _chunks(response: Any, headers: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
    """The body as it comes; decoded where it is encoded, and otherwise without the layers that would."""
    if isinstance(response, Arrived):
        return aiter(response)
    plain = headers.get("content-encoding", "identity").strip().lower() in ("identity", "")
    chunks: AsyncGenerator[bytes, None] = aiter(response.stream) if plain else response.aiter_bytes()
    return chunks


async def _events(
    begin: bytes,
    chunks: AsyncIterator[bytes],
    listener: Listener,
    reading: Reading,
    parser: EventParser | aws_frames.FrameParser,
) -> bool:
    """Let `reading` take event after event, as they come; whether it took the last one."""
    left = LARGEST_BYTES

    def taken(chunk: bytes) -> bool:
        nonlocal left
        left = _less(left, chunk)
        events = parser.feed(chunk)
        if not events:
            # Half an event is a sign of life all the same.
            listener.event()
        return any(map(reading.take, events))

    if taken(begin):
        return True
    async for chunk in chunks:
        if taken(chunk):
            return True
    return any(map(reading.take, parser.rest()))


async def _together(begin: bytes, chunks: AsyncIterator[bytes], listener: Listener) -> bytes:
    """All chunks as one."""
    parts = [begin]
    left = _less(LARGEST_BYTES, begin)
    listener.event()
    async for chunk in chunks:
        left = _less(left, chunk)
        listener.event()
        parts.append(chunk)
    return b"".join(parts)


def _less(left: int, chunk: bytes) -> int:
    left -= len(chunk)
    if left < 0:
        raise EventTooLarge(f"an answer of more than {LARGEST_BYTES:,} bytes")
    return left


async def _drain(chunks: AsyncGenerator[bytes, None], response: Any) -> None:
    """Read a body to its end and close it.

    The answer is whole by now: a connection that stays open or breaks here takes nothing from it.
    """
    with suppress(Exception):
        try:
            async with asyncio.timeout(_CLOSING_S):
                async for _ in chunks:
                    continue
        finally:
            await chunks.aclose()
            await response.aclose()


def _headers(response: Any) -> dict[str, str]:
    raw = response.raw_headers if isinstance(response, Arrived) else response.headers.raw
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
