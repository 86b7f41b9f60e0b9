"""Who answers. One dialect a file; `load` finds the module that speaks a model's dialect."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

DIALECTS = {
    "openai": "labkit.providers.openai",
    "openai-responses": "labkit.providers.responses",
    "anthropic": "labkit.providers.anthropic",
    "local": "labkit.providers.local",
    "scripted": "labkit.providers.scripted",
}


def load(dialect: str) -> ModuleType:
    """The module that speaks `dialect`, with its `connect` and `identity`. Imports its SDK."""
    return import_module(DIALECTS[dialect])
