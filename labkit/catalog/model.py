"""A model: who answers, in which dialect, where, for which default params, with which limits.

A value and nothing else: it does not know prices of the catalog (see `prices`), keys (see
`labkit.keys`) or how to ask (see `labkit.providers`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from datetime import date
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from labkit.errors import DefinitionError
from labkit.visible import quoted

APIS = {"chat": "openai", "responses": "openai-responses"}
"""The APIs an OpenAI endpoint may have, and the dialect each is spoken in."""
CAPABILITIES = ("streaming", "vision", "tools", "json", "reasoning")
_CAN = frozenset({"streaming"})


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What a local model is made of, beside its file.

    >>> Model("local/mine", weights=Weights(path=Path("mine.gguf"), slots=1)).weights.slots
    1
    """

    path: Path | None = None
    """A GGUF file; None: found by the model's name among what `labkit pull` fetched."""
    chat_template: str | None = None
    """A Jinja chat template that replaces the file's own."""
    context_tokens: int = 2048
    """Context per slot."""
    slots: int = 4
    """Answers at once."""


@dataclass(frozen=True)
class Model:
    """One model at one endpoint. `id` is `provider/name`; all else is keyword-only and optional.

    >>> Model("openai/gpt-4o").name
    'gpt-4o'
    >>> Model("vllm/qwen3", base_url="http://127.0.0.1:8000/v1", key_env="VLLM_KEY").dialect
    'openai'
    >>> Model("openai/gpt-5", api="responses").dialect
    'openai-responses'
    """

    id: str
    dialect: str = field(default="", kw_only=True)
    """`openai` (chat completions), `openai-responses`, `anthropic`, `local` or `scripted`; by default the
    provider's own, else `openai`."""
    api: InitVar[str | None] = field(default=None, kw_only=True)
    """Of an OpenAI endpoint: `chat` (the default) or `responses`; a short way to say the dialect."""
    base_url: str | None = field(default=None, kw_only=True)
    key_env: str | None = field(default=None, kw_only=True)
    """The name of the variable that holds its key; "" says that it needs none. Never the key itself."""
    allow_host: str | None = field(default=None, kw_only=True)
    """The host of `base_url`, where that is not encrypted or not public and is meant all the same."""
    params: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)
    prices: Mapping[str, float] | None = field(default=None, kw_only=True, hash=False)
    """USD per million tokens: `input`, `output`, and if you like `cache_read`, `cache_write`,
    `cache_write_1h` (kept for an hour), `reasoning`. None: the catalog's."""
    label: str | None = field(default=None, kw_only=True)
    """How tables and charts call it; by default its name."""
    aliases: tuple[str, ...] = field(default=(), kw_only=True)
    context_window: int | None = field(default=None, kw_only=True)
    max_output: int | None = field(default=None, kw_only=True)
    capabilities: frozenset[str] = field(default=_CAN, kw_only=True)
    lacks: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Capabilities it is known not to have; what is in neither set is not known."""
    retired: date | None = field(default=None, kw_only=True)
    """The day its provider stops answering for it, past or announced."""
    concurrency: int | None = field(default=None, kw_only=True)
    """Most requests in flight at once; None: the engine's default."""
    stream: bool = field(default=True, kw_only=True)
    """Whether its answers are asked for as streams. A model that lacks `streaming` never is."""
    stream_options: bool = field(default=True, kw_only=True)
    """Whether a stream is asked for its usage by `stream_options`, which some endpoints refuse."""
    think_tag: str | None = field(default="think", kw_only=True)
    """The word in the tag that parts reasoning from the text, at the beginning of an answer:
    `<think>…</think>`. None: what is in a tag is text."""
    weights: Weights | None = field(default=None, kw_only=True)
    client: Any = field(default=None, kw_only=True, repr=False, hash=False)
    """An SDK client of your own (Azure, Bedrock, Vertex …), or the `Script` of a scripted model."""

    def __post_init__(self, api: str | None) -> None:
        if not isinstance(self.id, str) or not isinstance(self.params, Mapping):
            raise DefinitionError(
                "A model is its id as text, with params as a mapping if there are any: "
                "lk.Model('openai/gpt-4o', params={'seed': 1})."
            )
        for name, kind in (("aliases", tuple), ("capabilities", frozenset), ("lacks", frozenset)):
            given = getattr(self, name)
            if isinstance(given, (list, tuple, set)) and all(isinstance(one, str) for one in given):
                object.__setattr__(self, name, kind(given))
        if isinstance(self.lacks, frozenset) and "streaming" in self.lacks and self.capabilities == _CAN:
            object.__setattr__(self, "capabilities", frozenset())
        if not self.dialect:
            known = ("openai", "anthropic", "local", "scripted")
            object.__setattr__(self, "dialect", self.provider if self.provider in known else "openai")
        if api is not None:
            if not isinstance(api, str) or api not in APIS or self.dialect not in APIS.values():
                raise DefinitionError(
                    f"api of {self.id:.200} is {quoted(api)}; an OpenAI endpoint has {' and '.join(APIS)}, "
                    "others have no choice."
                )
            object.__setattr__(self, "dialect", APIS[api])
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))
        if isinstance(self.prices, Mapping):
            object.__setattr__(self, "prices", MappingProxyType(dict(self.prices)))

    @property
    def provider(self) -> str:
        """Who answers: the part of the id before the first slash."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """What the provider calls it: the part of the id after the first slash."""
        return self.id.partition("/")[2]

    @property
    def streams(self) -> bool:
        """Whether its answers are asked for as streams.

        >>> Model("vllm/m", stream=False).streams, Model("vllm/m", lacks={"streaming"}).streams
        (False, False)
        """
        return self.stream and "streaming" not in self.lacks

    def __repr__(self) -> str:
        given = [repr(self.id)]
        if self.dialect == APIS["responses"]:
            given.append("api='responses'")
        if self.base_url is not None:
            given.append(f"base_url={re.sub('(?<=//)[^/?#]*@|[?#].*', '…', str(self.base_url))!r}")
        if isinstance(self.key_env, str) and self.key_env.isidentifier():
            given.append(f"key_env={self.key_env!r}")
        given += [f"{name}=False" for name in ("stream", "stream_options") if getattr(self, name) is False]
        if isinstance(self.weights, Weights) and self.weights.chat_template is not None:
            given.append("weights=Weights(chat_template=…)")
        if self.think_tag != "think":
            given.append(f"think_tag={quoted(self.think_tag)}")
        if self.params:
            # Only numbers are shown: a key that strayed into params must not reach a traceback.
            shown = (f"{n}={v}" if isinstance(v, (int, float)) else f"{n}=…" for n, v in self.params.items())
            given.append(f"params=dict({', '.join(shown):.200})")
        return f"Model({', '.join(given)})"

    def _repr_html_(self) -> str:
        can = ", ".join(name for name in CAPABILITIES if name in self.capabilities)
        window = "unknown" if self.context_window is None else f"{self.context_window:,} tokens"
        name = f"<b>{escape(str(self.label or self.name))}</b> · <code>{escape(repr(self))}</code>"
        template = self.weights.chat_template if isinstance(self.weights, Weights) else None
        read = (
            ""
            if template is None
            else f"<details><summary>its chat template</summary><pre>{escape(str(template))}</pre></details>"
        )
        return f"<div>{name} · context {window} · {escape(can)}{read}</div>"

    def replace(self, **changes: Any) -> Model:
        """The same model with some fields changed."""
        return replace(self, **changes)
