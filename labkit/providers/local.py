"""The `local` dialect: a GGUF file on this machine, asked in the `openai` dialect of its own server.

The server is a process of labkit's (see `servers`), on a free loopback port with a random key.

**Equal questions, equal answers?** Only with `slots=1`. With more slots llama.cpp computes answers in
batches, and the last bits of its sums depend on what else is in the batch: at temperature 0 with a fixed
seed, 16 of 160 one-word answers of two small models differed between three runs with 4 slots, and 1 with
1 slot where the work on an earlier prompt was used again. So one slot means: each prompt is read anew
(`cache_prompt: false`). Then none differed, at two to three times the time where prompts begin alike.
A param `cache_prompt` of your own overrules this.

**An answer that begins with a line end** would be none under a `stop` that is a line end: what a base model
with a chat template of ours does in one of five answers to some prompts. It is sent a grammar that lets the
answer begin with anything else, and then go on as it likes; one small model's other answers stayed as they
were, in the same time. Not where an answer is held to a form already, by `grammar`, a schema or tools.

It does not know the engine's limits, nor how weights are fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from labkit import weights
from labkit.catalog.model import Model, Weights
from labkit.errors import ConnectionFailed, DefinitionError, MissingPackage, WeightsError
from labkit.identity import content_hash
from labkit.keys import Key
from labkit.messages import shown
from labkit.paths import plain_file
from labkit.providers import http, openai, servers, wire
from labkit.providers.base import Provider
from labkit.records import Answer, Listener, Message, Request

MAX_TOKENS = 1024
"""Sent where no `max_tokens` is given: small models often repeat themselves until they are stopped."""
BEGINS_VISIBLY = r"root ::= [ \t]* [^ \t\r\n] .*"
"""The grammar of an answer that does not begin with a line end."""
_HELD = ("grammar", "json_schema", "response_format", "tools")
_COUNT_PATH = "/v1/chat/completions/input_tokens"
_COUNTED = ("tools", "tool_choice", "response_format", "chat_template_kwargs")


def identity(model: Model) -> str:
    """What decides this model's answers beside the request: weights, chat template, context, runtime.

    Raises `DefinitionError` where the weights are not here, `MissingPackage` without `xllamacpp`.
    """
    of = _settings(model)
    template = "own" if of.chat_template is None else content_hash("t1", of.chat_template)
    return f"gguf {of.sha256} template {template} context {of.context_tokens} xllamacpp {_runtime()}"


def defaults(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent beside `params`: a limit where they have none, with one slot `cache_prompt` off, and for a
    model with a chat template of ours the grammar that keeps its answers from ending before they begin."""
    of = model.weights or Weights()
    most = min(model.max_output or MAX_TOKENS, MAX_TOKENS, of.context_tokens)
    wanted: dict[str, Any] = {} if "max_completion_tokens" in params else {"max_tokens": most}
    if of.slots == 1:
        wanted["cache_prompt"] = False
    stops = params.get("stop")
    ends_at_line = "\n" in ([stops] if isinstance(stops, str) else stops or ())
    if of.chat_template is not None and ends_at_line and not any(name in params for name in _HELD):
        wanted["grammar"] = BEGINS_VISIBLY
    return wanted


def read_as(model: Model, messages: Sequence[Message]) -> str | None:
    """The text that `model` reads of these messages, where it has a chat template of ours; None: its file's
    own puts them into text, or a provider does. Raises `DefinitionError` for a template that cannot be read.

    >>> ours = Model("local/m", weights=Weights(chat_template="Q: {{ messages[0].content }} A:"))
    >>> read_as(ours, [{"role": "user", "content": "Why?"}])
    'Q: Why? A:'
    """
    template = model.weights.chat_template if model.weights is not None else None
    if template is None:
        return None
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    plain = [{"role": message["role"], "content": shown(message["content"])} for message in messages]
    # As llama.cpp reads them.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(template).render(messages=plain, add_generation_prompt=True)
    except Exception as error:  # noqa: BLE001 - a template may raise anything
        raise DefinitionError(f"The chat template of {model.id} cannot be read: {error!s:.200}.") from None


def connect(model: Model, key: Key | None) -> LocalProvider:
    """A provider for `model`, its server started. Slow (loading takes seconds): call it off the loop.

    Raises as `identity` does, and `WeightsError` where llama.cpp cannot serve the file.
    """
    _runtime()
    server = servers.take(_settings(model))
    try:
        return LocalProvider(model.id, server, _speaker(model, server))
    except BaseException:
        servers.release(server)
        raise


class LocalProvider:
    """Asks one local model. Its server may be shared with other providers."""

    def __init__(self, id: str, server: servers.Server, inner: Provider) -> None:
        self._id = id
        self._server = server
        self._inner = inner
        self._closed = False

    def __repr__(self) -> str:
        return f"LocalProvider({self._id})"

    async def ask(self, request: Request, listener: Listener) -> Answer:
        """Send `request`; see `labkit.providers.base.Provider.ask`. A server that died is started anew."""
        await self._awake()
        return await self._inner.ask(request, listener)

    async def count_tokens(self, request: Request) -> int | None:
        """The exact number of input tokens, by the model's own template and tokenizer."""
        await self._awake()
        body = {"messages": list(request.messages)}
        body |= {name: request.params[name] for name in _COUNTED if name in request.params}
        answer = await asyncio.to_thread(self._server.post, _COUNT_PATH, body)
        return int(answer["input_tokens"])

    async def close(self) -> None:
        """Release the connections, and the server with its last user."""
        if not self._closed:
            self._closed = True
            await self._inner.close()
            await asyncio.to_thread(servers.release, self._server)

    async def _awake(self) -> None:
        if self._closed:
            raise ConnectionFailed(f"the connection to {self._id} was closed")
        if not self._server.alive:
            try:
                await asyncio.to_thread(self._server.start)
            except WeightsError as error:
                raise ConnectionFailed(f"the server of {self._id} ended: {error}") from None


def _speaker(model: Model, server: servers.Server) -> openai.OpenAIProvider:
    from openai import AsyncOpenAI, DefaultAioHttpClient, Omit

    url = f"{server.url}/v1"
    client = AsyncOpenAI(
        api_key=server.key.reveal(),
        base_url=url,
        max_retries=0,
        http_client=http.client(DefaultAioHttpClient, url),
        # The server closes a connection after each stream without saying so beforehand: what is sent
        # over it next would be lost.
        default_headers={"connection": "close", **wire.withheld("OPENAI_CUSTOM_HEADERS", Omit())},
    )
    client.organization = client.project = None
    return openai.OpenAIProvider(
        client, who=model.id, stream=model.streams, stream_options=model.stream_options
    )


def _settings(model: Model) -> servers.Settings:
    of = model.weights or Weights()
    path = plain_file(of.path, what="model file") if of.path is not None else _pulled(model)
    try:
        digest = weights.sha256(path)
    except OSError as error:
        raise DefinitionError(f"The model file {str(path)!r} cannot be read: {error.strerror}.") from None
    return servers.Settings(
        path=path.resolve(),
        sha256=digest,
        name=model.name,
        chat_template=of.chat_template,
        context_tokens=of.context_tokens,
        slots=of.slots,
    )


def check_here(model: Model) -> None:
    """Raise `DefinitionError` or `MissingPackage`, with what to do, where it cannot be asked here."""
    if model.weights is None or model.weights.path is None:
        _pulled(model)
    else:
        plain_file(model.weights.path, what="model file")
    _runtime()


def _pulled(model: Model) -> Path:
    path = weights.find(model.name)
    if path is None:
        way = f"Fetch them: labkit pull {model.name}"
        if model.name not in weights.REGISTRY:
            here = ", ".join(found.name for found in weights.pulled()) or "none yet"
            way = f"Give a file, local:/path/to/model.gguf, or one of those pulled: {here}."
        raise DefinitionError(f"The weights of {model.id[:200]} are not here. {way}")
    return path


def _runtime() -> str:
    try:
        return version("xllamacpp")
    except PackageNotFoundError:
        raise MissingPackage("Local models need xllamacpp: pip install 'labkit[local]'") from None
