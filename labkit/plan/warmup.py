"""Imports the SDKs of a plan's models in the background, so that the first request need not wait for them.

`openai` takes about a second to import and `anthropic` nearly two: longer than most first answers.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import import_module

from labkit.catalog.model import Model

SDKS = {"openai": "openai", "openai-responses": "openai", "anthropic": "anthropic", "local": "openai"}


def warm_up(models: Sequence[Model]) -> None:
    """Begin to import; returns at once. A missing SDK is reported when the run starts, not here."""
    wanted = sorted(
        {SDKS[model.dialect] for model in models if model.dialect in SDKS and model.client is None}
    )
    if wanted:
        threading.Thread(target=_import, args=(wanted,), name="labkit-warm-up", daemon=True).start()


def _import(names: Sequence[str]) -> None:
    for name in names:
        try:
            import_module(name)
        except ImportError:
            return
