"""What is sent to a model beside the messages: the provider's defaults, the model's own params, those given.

It reads no prompt and asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit import providers
from labkit.catalog import params as parameters
from labkit.catalog.model import Model


def sent_params(model: Model, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The params of each request to `model`, and everything that is wrong with them.

    >>> sent_params(Model("openai/gpt-4o", params={"seed": 1}), {"temperature": 0})
    ({'seed': 1, 'temperature': 0}, [])
    """
    asked = {**parameters.flat(model.params), **parameters.flat(given)}
    defaults = providers.load(model.dialect).defaults(model, asked)
    merged, wrong = parameters.check({**defaults, **asked}, model)
    return merged, [*parameters.misspelt(given, model), *wrong]
