"""The secrets that an environment holds by the names of its variables, to be taken out of what is shown.

It does not know which of them is used for what.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from labkit.errors import DefinitionError
from labkit.keys import Key

_OF_SECRETS = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|WEBHOOK|HEARTBEAT", re.IGNORECASE)
_LEAST = 8
"""A shorter value is a word such as `true`, which is in every other sentence."""

_PATHS = ("/", "~", ".")
"""How a value begins that names a file with a secret and is none, such as that of `SSH_KEY_FILE`."""


def environment_keys(environment: Mapping[str, str]) -> list[Key]:
    """The values of variables such as `OPENAI_API_KEY`; of an address what comes after its host."""
    held = []
    for name, value in environment.items():
        secret = value.partition("://")[2].partition("/")[2] if "://" in value else value
        if _OF_SECRETS.search(name) and len(secret.strip()) >= _LEAST and not secret.startswith(_PATHS):
            with suppress(DefinitionError):
                held.append(Key(secret, source=f"the environment variable {name}"))
    return held
