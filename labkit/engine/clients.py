"""The providers in use on this loop: one per endpoint, key and loop, made once, off the loop.

Making an SDK client takes 27 ms, importing an SDK a second or two: neither may hold up a loop that
measures latencies. It knows which providers may be shared, and nothing of what they are asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from labkit import providers
from labkit.catalog.model import Model
from labkit.engine import event_loop
from labkit.providers import certificates
from labkit.providers.base import Provider

SDKS = {"openai": "openai", "openai-responses": "openai", "anthropic": "anthropic", "local": "openai"}
_SHARED_DIALECTS = ("openai", "openai-responses", "anthropic")
_open: dict[asyncio.AbstractEventLoop, dict[tuple[Any, ...], asyncio.Future[Provider]]] = {}


def warm_up(models: Sequence[Model]) -> None:
    """Begin to import the SDKs of `models` in the background, so that the first request need not wait.

    Returns at once. A missing SDK is reported when the run starts, not here.
    """
    named = {SDKS[model.dialect] for model in models if model.dialect in SDKS and model.client is None}
    wanted = sorted(named - sys.modules.keys())
    if wanted:
        with suppress(RuntimeError):  # no thread left: then what is needed is imported when it is needed
            threading.Thread(target=_import, args=(wanted,), name="labkit-warm-up", daemon=True).start()


async def provider(model: Model, key: Any) -> Provider:
    """The provider that answers for `model`, for use on the running loop.

    Raises what `connect` raises, and tries anew at the next call.
    """
    running = asyncio.get_running_loop()
    known = _open.setdefault(running, {})
    if not known and running is event_loop.current():
        event_loop.on_close(close_all)
    name = _name(model, key)
    if name not in known:
        known[name] = asyncio.ensure_future(asyncio.to_thread(_connect, model, key))
    try:
        return await asyncio.shield(known[name])
    except BaseException:
        if known.get(name) is not None and known[name].done():
            known.pop(name)
        raise


async def close_all() -> None:
    """Close every provider of the running loop."""
    known = _open.pop(asyncio.get_running_loop(), {})
    made = await asyncio.gather(*known.values(), return_exceptions=True)
    await asyncio.gather(
        *(one.close() for one in made if not isinstance(one, BaseException)), return_exceptions=True
    )


def _connect(model: Model, key: Any) -> Provider:
    made: Provider = providers.load(model.dialect).connect(model, key)
    return made


def _name(model: Model, key: Any) -> tuple[Any, ...]:
    # The key itself is kept nowhere but in the client: its hash tells keys apart.
    secret = "" if key is None else key.reveal()
    digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    asked = (model.streams, model.stream_options)
    if model.client is not None:
        return (model.dialect, id(model.client), digest, asked)
    if model.dialect in _SHARED_DIALECTS:
        return (model.dialect, model.provider, model.base_url, digest, asked, certificates.surroundings())
    return (model.dialect, model.id, model.weights, digest, asked)


def _import(names: Sequence[str]) -> None:
    for name in names:
        try:
            import_module(name)
        except ImportError:
            return
