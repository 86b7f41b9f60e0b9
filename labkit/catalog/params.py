"""What is sent beside the messages: whether it can be sent, and whether the model can take it.

Those whose meaning is the same everywhere are held to their limits here, so that a wrong one is named
before anything is paid for; all others pass through as they are, and are recorded. Four are written one
way and sent in each dialect's own: `max_tokens`, `stop`, `reasoning_effort`, and `response_format` with a
JSON schema:

    {"type": "json_schema", "json_schema": {"name": "label", "strict": True, "schema": {…}}}

`extra_body` means what it means in the SDKs: what stands in it is a parameter like the others, under
whatever name. Outside it a misspelt name is refused (see `param_names`). This module does not know prompts,
keys or what a provider makes of a parameter.
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from labkit.catalog import param_names
from labkit.catalog.model import Model, Weights
from labkit.visible import quoted

DEEPEST = 50
MOST_STOPS = 16
OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
_SECRETS = {"api_key", "apikey", "authorization", "x-api-key", "x_api_key", "auth_token", "extra_headers"}
_OWN = {
    **dict.fromkeys(("model", "messages", "input", "system", "instructions", "base_url"), ""),
    "stream": "; to ask without a stream give the model stream=False",
    "stream_options": "; to ask without them give the model stream_options=False",
    "timeout": "; give the run policy=lk.Policy(timeout_s=…)",
    "max_retries": "; give the run policy=lk.Policy(attempts=…)",
    "extra_query": "; what an address needs beside base_url=… takes a client=… of your own",
}
"""What no param can say, and where it is said."""
_FORMATS = ("text", "json_object", "json_schema")


class _Unsendable(ValueError):
    """A value no request can carry; the message is the rest of a sentence about it."""


def check(params: object, model: Model) -> tuple[dict[str, Any], list[str]]:
    """`params` as plain JSON values, and everything that is wrong with them for `model`.

    numpy and pandas scalars become Python's own, Decimal a float, -0.0 becomes 0.0.

    >>> check({"max_tokens": 0, "temperature": 3, "top_k": 40}, Model("openai/gpt-4o"))[1]
    ['max_tokens for openai/gpt-4o is 0, ...', 'temperature for openai/gpt-4o is 3, ...']
    """
    if not isinstance(params, Mapping):
        return {}, [
            f"params for {model.id} is {type(params).__name__}, not a mapping such as {{'max_tokens': 64}}."
        ]
    normal: dict[str, Any] = {}
    found: list[str] = []
    for name, value in flat(params).items():
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            found.append(f"params for {model.id} has the name {quoted(name)}, which is no word.")
        elif name.lower() in _SECRETS:
            # The value is not shown: it may be the key.
            found.append(
                f"params for {model.id} has {name!r}: keys are kept outside, under the name key_env=…"
            )
        elif name in _OWN:
            found.append(f"params for {model.id} has {name!r}, which labkit sets itself{_OWN[name]}.")
        elif name == "extra_body":
            found.append(
                f"extra_body for {model.id} is to be a mapping: what stands in it goes into the body."
            )
        else:
            try:
                normal[name] = _plain(value, 0)
            except _Unsendable as error:
                found.append(f"{name} for {model.id} {error}.")
    for name, value in normal.items():
        wrong = _limit(name, value, model)
        if wrong:
            found.append(f"{name} for {model.id} is {_shown(value)}, {wrong}.")
    return normal, found


def misspelt(params: object, model: Model) -> list[str]:
    """A sentence for each name in `params`, as a person wrote them, that is near one that `model` takes.

    >>> misspelt({"temprature": 0, "extra_body": {"temprature": 0}}, Model("openai/gpt-4o"))
    ["openai/gpt-4o has no param 'temprature'. Did you mean temperature? ..."]
    """
    names = _names(params, model)
    return param_names.faults(names, model) if names else []


def unchecked(params: object, model: Model) -> list[str]:
    """The names in `params` that are sent as they stand, and that `model` is not known to take.

    >>> unchecked({"seed": 1, "house": 2, "extra_body": {"garden": 0}}, Model("openai/gpt-4o"))
    ['house']
    """
    names = _names(params, model)
    return param_names.unknown(names, model) if names else []


def _names(params: object, model: Model) -> list[str]:
    """The names a person wrote for params of the model's, without those that have sentences of their own."""
    if not isinstance(params, Mapping) or not isinstance(model.dialect, str):
        return []
    words = [name for name in params if isinstance(name, str) and name.isprintable() and name.strip()]
    told = {"extra_body", *_OWN}
    return [name for name in words if name not in told and name.lower() not in _SECRETS]


def flat(params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` with what stands in `extra_body` among them, where the SDKs put it: at the top of the body.

    >>> flat({"seed": 1, "extra_body": {"top_k": 40}})
    {'seed': 1, 'top_k': 40}
    """
    extra = params.get("extra_body", {})
    if not isinstance(extra, Mapping | None):
        return dict(params)
    return {**{name: value for name, value in params.items() if name != "extra_body"}, **(extra or {})}


def _limit(name: str, value: Any, model: Model) -> str | None:
    if name in OUTPUT_LIMITS:
        return _output_limit(value, model)
    if name in _RANGES:
        low, high = _RANGES[name]
        if model.dialect == "anthropic" and name == "temperature":
            high = 1.0
        if type(value) not in (int, float) or not low <= value <= high:
            return f"not a number from {low:g} to {high:g}"
    if name == "n" and (type(value) is not int or value != 1):
        return "but labkit asks for one answer a request: use repeats=…"
    if name == "seed" and type(value) is not int:
        return "not a whole number"
    if name in ("stop", "stop_sequences"):
        return _stop(value, model)
    if name == "reasoning_effort" and not (isinstance(value, str) and value):
        return "not a word such as low, medium or high"
    if name == "response_format":
        return _format(value, model)
    return None


def schema_of(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON schema an answer under these params is to fit, in whichever dialect's words it is asked for.

    >>> schema_of({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}})
    {'type': 'object'}
    """
    asked = params.get("response_format")
    if isinstance(asked, Mapping):
        asked = asked.get("json_schema", asked)
    else:
        homes = (params.get("text"), params.get("output_config"))
        asked = next((home.get("format") for home in homes if isinstance(home, Mapping)), None)
    found = asked.get("schema") if isinstance(asked, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _format(value: Any, model: Model) -> str | None:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind not in _FORMATS:
        return f"not a mapping with a type of {', '.join(_FORMATS)}"
    inner = value.get("json_schema")
    if kind == "json_schema" and not (
        isinstance(inner, Mapping) and inner.get("name") and isinstance(inner.get("schema"), Mapping)
    ):
        return "without json_schema={'name': …, 'schema': {…}}"
    if kind == "json_object" and model.dialect == "anthropic":
        return "but that dialect answers in JSON by a schema only: give type json_schema"
    return None


def _output_limit(value: Any, model: Model) -> str | None:
    if type(value) is not int or value < 1:
        return "not a whole number from 1 up"
    if model.max_output is not None and value > model.max_output:
        return (
            f"more than the {model.max_output:,} tokens the model can answer with "
            f"(if that is dated: lk.Model({model.id!r}, max_output=…))"
        )
    room, way = model.context_window, f"if that is dated: lk.Model({model.id!r}, context_window=…)"
    if model.dialect == "local":
        room, way = (model.weights or Weights()).context_tokens, "what labkit gives it"
    if room is not None and value > room:
        return f"more than its context of {room:,} tokens; the answer and the prompt are to fit in it ({way})"
    return None


def _stop(value: Any, model: Model) -> str | None:
    most = 4 if model.dialect == "openai" and model.base_url is None else MOST_STOPS
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        return "not text or a list of texts"
    return f"more than {most} texts" if len(stops) > most else None


def _plain(value: Any, depth: int) -> Any:
    if type(value) is int and abs(value) > sys.float_info.max:
        raise _Unsendable("is larger than any number a request can carry")
    if value is None or type(value) in (str, bool, int):
        return _whole_text(value) if type(value) is str else value
    if type(value) is float:
        if not math.isfinite(value):
            raise _Unsendable(f"is {value}, which no request can carry")
        return value + 0.0 if value else 0.0
    if depth > DEEPEST:
        raise _Unsendable(f"is nested more than {DEEPEST} deep, or holds itself")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise _Unsendable("has a key that is no text")
        return {_whole_text(str(key)): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    return _scalar(value, depth)


def _scalar(value: Any, depth: int) -> Any:
    if isinstance(value, (dt.datetime, dt.date, dt.time, dt.timedelta)):
        raise _Unsendable(f"is a {type(value).__name__}; write it as text, in the form the provider takes")
    if isinstance(value, Decimal):
        return _plain(float(value), depth)
    for base in (str, bool, int, float):
        if isinstance(value, base):
            return _plain(base(value), depth)
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        python = value.tolist()
        if type(python) is not type(value):
            return _plain(python, depth + 1)
    raise _Unsendable(f"is {type(value).__name__}, which cannot be written as JSON")


def _whole_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _Unsendable(f"holds half a character (a lone surrogate) at {error.start}") from None
    return text


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    return quoted(value)
