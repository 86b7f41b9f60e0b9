"""The public fake: a provider that answers by a `Script`.

It is a provider like any other — text comes in pieces, with delays, counts and faults as set — but
contacts nothing. Without a declared `version` its answers have no identity and are never replayed.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.catalog.model import Model
from labkit.errors import ConnectionLost, DefinitionError, ProviderError
from labkit.providers.script import Cut, Fault, Reply, Script, Stall, plain
from labkit.records import Answer, Listener, Request, Usage


def identity(model: Model) -> str | None:
    """The script's declared version; None without one."""
    script = _script(model)
    return None if script.version is None else f"scripted:{script.version}"


def defaults(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """A script needs no params."""
    return {}


def connect(model: Model, key: Any) -> ScriptedProvider:
    """A provider that answers by the `Script` in `model.client`; `key` is not used."""
    return ScriptedProvider(_script(model))


class ScriptedProvider:
    """Answers by a `Script`."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def __repr__(self) -> str:
        return f"ScriptedProvider({self._script!r})"

    async def ask(self, request: Request, listener: Listener) -> Answer:
        """Answer `request` by the script; see `labkit.providers.base.Provider.ask`."""
        said, fault = self._script.next(request)
        for failure in (fault, said):
            if isinstance(failure, ProviderError):
                raise copy.copy(failure)
        reply = said if isinstance(said, Reply) else Reply(str(said))
        listener.opened({})
        await self._tell(reply, fault, listener)
        counted = Usage(
            input_tokens=sum(_words(plain(message["content"])) for message in request.messages),
            output_tokens=_words(reply.text),
        )
        return Answer(
            stop_reason=reply.stop_reason,
            usage=reply.usage or counted,
            response_model=reply.response_model or request.name,
            raw=reply.raw,
        )

    async def count_tokens(self, request: Request) -> int | None:
        """The words of the messages: exact, for this model."""
        return sum(_words(plain(message["content"])) for message in request.messages)

    async def close(self) -> None:
        """Nothing is held."""

    async def _tell(self, reply: Reply, fault: Fault | None, listener: Listener) -> None:
        script = self._script
        pieces = _pieces(reply.text, script.chunk)
        first_s = script.first_token_s if reply.first_token_s is None else reply.first_token_s
        delay_s = script.delay_s if reply.delay_s is None else reply.delay_s
        pause_s = delay_s / max(1, len(pieces) - 1)
        await asyncio.sleep(first_s)
        for number, piece in enumerate([*pieces, None]):
            await _suffer(fault, number)
            if piece is not None:
                if number and pause_s:
                    await asyncio.sleep(pause_s)
                listener.text(piece)


async def _suffer(fault: Fault | None, number: int) -> None:
    if isinstance(fault, Cut) and number >= fault.after:
        raise copy.copy(fault.error or ConnectionLost(f"scripted: cut after {fault.after} pieces"))
    if isinstance(fault, Stall) and number >= fault.after:
        await asyncio.Event().wait()


def _script(model: Model) -> Script:
    if isinstance(model.client, Script):
        return model.client
    raise DefinitionError(
        f"the scripted model {model.id!r} has no script: give it one, Model({model.id!r}, client=Script(...))"
    )


def _words(text: str) -> int:
    return len(text.split())


def _pieces(text: str, chunk: int | None) -> Sequence[str]:
    if chunk is not None:
        return [text[start : start + chunk] for start in range(0, len(text), chunk)]
    words = text.split(" ")
    return [word if number == 0 else " " + word for number, word in enumerate(words)] if text else []
