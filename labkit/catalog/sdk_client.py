"""Whether what was given as a model's `client` can be asked, in its dialect.

It looks at what the object is and imports no SDK; it shows nothing that the object holds, since a client
holds a key, and what stands in the place of one may be a key itself.
"""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import Any

from labkit.catalog.model import Model

_SDKS = {"openai": "openai", "openai-responses": "openai", "anthropic": "anthropic"}
_EXAMPLES = {"openai": "openai.AsyncOpenAI(…)", "anthropic": "anthropic.AsyncAnthropic(…)"}


def faults(model: Model) -> list[str]:
    """Everything that is wrong with the client of `model`, as sentences; none where it has no client."""
    client, sdk = model.client, _SDKS[model.dialect] if model.dialect in list(_SDKS) else None
    if client is None:
        return []
    if sdk is None:
        # What a script is, its own floor knows.
        wrong = isinstance(client, (str, bytes, type)) or _sdk_of(client) is not None
        return [f"client of {model.id} is {_named(client)}; {_instead(model)}"] if wrong else []
    if isinstance(client, (str, bytes)):
        return [
            f"client of {model.id} is a text, not a client: {_EXAMPLES[sdk]}. A key is kept outside, under "
            "the name key_env=…"
        ]
    other = _sdk_of(client)
    asks = inspect.iscoroutinefunction(getattr(client, "post", None))
    if isinstance(client, type) or other is None or not asks:
        return [f"client of {model.id} is {_named(client)}, which labkit cannot ask; {_instead(model)}"]
    if other != sdk:
        return [
            f"client of {model.id} is {_named(client)}, but its dialect is {model.dialect!r}: give "
            f"{_EXAMPLES[sdk]}, or dialect={other!r}."
        ]
    closed = getattr(client, "is_closed", None)
    if callable(closed) and closed():
        return [f"client of {model.id} is closed; make another one."]
    return _unsigned(model)


def _sdk_of(client: Any) -> str | None:
    roots = (base.__module__.partition(".")[0] for base in client.__class__.__mro__)
    return next((root for root in roots if root in _EXAMPLES), None)


def _named(client: Any) -> str:
    if isinstance(client, type):
        return f"the class {client.__name__:.60}"
    return (
        f"a text ({type(client).__name__})"
        if isinstance(client, (str, bytes))
        else f"{type(client).__name__:.60}"
    )


def _instead(model: Model) -> str:
    sdk = _SDKS.get(model.dialect)
    if sdk is None:
        wanted = "lk.Script(…)" if model.dialect == "scripted" else "nothing: it is asked here"
        return f"give it {wanted}."
    return f"give it an async client, such as {_EXAMPLES[sdk]}."


def _unsigned(model: Model) -> list[str]:
    """What a client of a cloud needs to sign its requests and that is not installed."""
    client = model.client
    kind = type(client).__name__
    if (
        getattr(client, "api_key", None)
        or getattr(client, "_skip_auth", False)
        or getattr(client, "skip_auth", False)
    ):
        return []
    if hasattr(client, "aws_region") and not _installed("boto3"):
        return [
            f"{kind} of {model.id} signs its requests with boto3, which is not installed: "
            "pip install boto3, or give the client an api_key."
        ]
    held = getattr(client, "access_token", None) or getattr(client, "credentials", None)
    if (
        hasattr(client, "access_token")
        and hasattr(client, "project_id")
        and not held
        and not _installed("google.auth")
    ):
        return [
            f"{kind} of {model.id} looks for credentials with google-auth, which is not installed: "
            "pip install google-auth, or give the client an access_token."
        ]
    return []


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
