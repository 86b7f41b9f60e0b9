"""What a contender is called whose steps are answered by several models: `facts: a, reply: b`.

Made and read here, so that both agree. It does not know models, nor how they are called for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_STEP = re.compile(r"(?:^|, )([^\W\d]\w*): ")


def joined(steps: Iterable[tuple[str, str]]) -> str:
    """The name of a contender, from its steps and their models.

    >>> joined([("facts", "local/a"), ("reply", "openai/b")])
    'facts: local/a, reply: openai/b'
    """
    return ", ".join(f"{step}: {model}" for step, model in steps)


def steps_of(name: str) -> dict[str, str]:
    """By step the model, as `joined` put them; nothing where it is the name of one model.

    >>> steps_of("facts: local/a, reply: openai/b:free"), steps_of("openai/b:free")
    ({'facts': 'local/a', 'reply': 'openai/b:free'}, {})
    """
    first, *parts = _STEP.split(name)
    return {} if first or len(parts) < 4 else dict(zip(parts[::2], parts[1::2], strict=True))
