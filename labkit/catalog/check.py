"""Whether a model is well defined. It does not know which models exist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from labkit.arguments import number
from labkit.catalog import params, sdk_client
from labkit.catalog.model import CAPABILITIES, Model, Weights
from labkit.catalog.prices import KINDS
from labkit.endpoints import OWN_HOSTS, check_base_url
from labkit.paths import plain_file
from labkit.visible import quoted

DIALECTS = ("openai", "openai-responses", "anthropic", "local", "scripted")
_AT_HOME = ("local", "scripted")
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]{0,99}")
_TAG = re.compile("[A-Za-z][A-Za-z0-9_:-]{0,49}")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}/[A-Za-z0-9@~][A-Za-z0-9._:@/+~=,-]{0,199}")


def id_fault(id: object) -> str | None:
    """What is wrong with a model's id, or None.

    >>> id_fault("openai/gpt-4o"), id_fault("gpt")
    (None, "The model id 'gpt' is not of the form provider/name, such as openai/gpt-4o.")
    """
    if isinstance(id, str) and _ID.fullmatch(id):
        return None
    shown = f"{id[:80]!r}{'…' if len(id) > 80 else ''}" if isinstance(id, str) else type(id).__name__
    if not isinstance(id, str) or "/" not in id:
        return f"The model id {shown} is not of the form provider/name, such as openai/gpt-4o."
    return (
        f"The model id {shown} is no provider/name of up to 200 letters, digits and . _ : @ / + ~ = , - "
        "(the provider in small letters)."
    )


def faults(model: Model) -> list[str]:
    """Everything that is wrong with `model`, one sentence each; an empty list when nothing is."""
    wrong = id_fault(model.id)
    if wrong:
        return [wrong]
    found: list[str] = []
    found += _endpoint_faults(model)
    found += sdk_client.faults(model)
    found += params.misspelt(model.params, model) + params.check(model.params, model)[1]
    found += price_faults(model.prices, model.id)
    found += _limit_faults(model)
    found += _name_faults(model)
    found += _weights_faults(model)
    return found


def _endpoint_faults(model: Model) -> list[str]:
    found = []
    if model.dialect not in DIALECTS:
        found.append(f"{model.id} has the dialect {quoted(model.dialect)}; there are {', '.join(DIALECTS)}.")
    elif model.dialect not in _AT_HOME and not _has_address(model):
        found.append(
            f"labkit does not know where {model.provider} answers: {model.id} needs base_url=… "
            "(an endpoint that speaks the OpenAI or the Anthropic dialect) or client=…"
        )
    if model.base_url is not None:
        _, wrong = check_base_url(model.base_url, allow_host=model.allow_host)
        found += [f"{model.id}: {fault}" for fault in wrong]
    elif model.allow_host is not None:
        found.append(f"{model.id} allows a host but has no base_url.")
    if model.key_env and not (isinstance(model.key_env, str) and _VARIABLE.fullmatch(model.key_env)):
        found.append(
            f"key_env of {model.id} is not the name of an environment variable. It is the name under "
            'which the key is kept, such as "MY_KEY", never the key itself.'
        )
    return found


def _has_address(model: Model) -> bool:
    return bool(model.base_url or model.client is not None or model.provider in OWN_HOSTS)


def price_faults(prices: object, id: str) -> list[str]:
    """Everything that is wrong with prices given for a model, as sentences."""
    if prices is None:
        return []
    if not isinstance(prices, Mapping):
        return [f"prices of {id} is to be a mapping such as {{'input': 0.5, 'output': 1.5}}."]
    found = []
    for kind, usd in prices.items():
        if kind not in KINDS:
            found.append(f"prices of {id} has {quoted(kind)}; there are {', '.join(KINDS)}.")
        elif number("", usd, least=0):
            found.append(f"The price {kind} of {id} is {quoted(usd)}, not USD per million tokens from 0 up.")
    absent = [kind for kind in ("input", "output") if kind not in prices]
    if absent:
        found.append(f"prices of {id} lacks {' and '.join(absent)}.")
    return found


def _limit_faults(model: Model) -> list[str]:
    found = []
    for name in ("context_window", "max_output", "concurrency"):
        value = getattr(model, name)
        if value is not None and (type(value) is not int or not 1 <= value <= 10**9):
            found.append(f"{name} of {model.id} is {quoted(value)}, not a whole number from 1 up.")
    for name in ("stream", "stream_options"):
        if type(getattr(model, name)) is not bool:
            found.append(f"{name} of {model.id} is {quoted(getattr(model, name))}, not True or False.")
    tag = model.think_tag
    if tag is not None and not (isinstance(tag, str) and _TAG.fullmatch(tag)):
        found.append(f"think_tag of {model.id} is {quoted(tag)}, not the word in a tag such as 'think'.")
    if model.retired is not None and type(model.retired) is not date:
        found.append(f"retired of {model.id} is {quoted(model.retired)}, not a date.")
    return found


def _name_faults(model: Model) -> list[str]:
    found = []
    if model.label is not None and not _is_line(model.label):
        found.append(f"The label of {model.id} is to be one line of text of up to 100 characters.")
    if not isinstance(model.aliases, tuple) or not all(_is_line(alias) for alias in model.aliases):
        found.append(f"aliases of {model.id} is to be a tuple of names.")
    for name in ("capabilities", "lacks"):
        given = getattr(model, name)
        unknown = (
            sorted(quoted(one) for one in given if one not in CAPABILITIES)
            if isinstance(given, frozenset)
            else [quoted(given)]
        )
        if unknown:
            found.append(
                f"{name} of {model.id} has {', '.join(unknown):.60}; there are {', '.join(CAPABILITIES)}."
            )
    both = sorted(model.capabilities & model.lacks) if not found else []
    if both:
        found.append(f"{model.id} both has and lacks {', '.join(both)}.")
    return found


def _weights_faults(model: Model) -> list[str]:
    if model.weights is None:
        return []
    if not isinstance(model.weights, Weights):
        return [f"weights of {model.id} is to be a Weights value."]
    found = []
    if model.dialect != "local":
        found.append(f"{model.id} has weights, but its dialect is {quoted(model.dialect)}, not 'local'.")
    for name in ("context_tokens", "slots"):
        value = getattr(model.weights, name)
        if type(value) is not int or value < 1:
            found.append(
                f"{name} of the weights of {model.id} is {quoted(value)}, not a whole number from 1 up."
            )
    if model.weights.path is not None:
        found += weights_file_faults(model.weights.path)
    return found


def weights_file_faults(path: Any) -> list[str]:
    """What is wrong with a GGUF file, or an empty list."""
    from labkit.errors import DefinitionError

    try:
        found = plain_file(path, what="model file")
        with open(found, "rb") as file:
            magic = file.read(4)
    except DefinitionError as error:
        return list(error.faults)
    return [] if magic == b"GGUF" else [f"The model file {str(path)!r} is no GGUF file."]


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= 100 and value.isprintable()
