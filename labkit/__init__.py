"""labkit tells a researcher which prompt and which model to use, how sure that is, and at what price.

    import labkit as lk

    lab = lk.Lab("lab.duckdb")
    plan = lab.plan(prompts=["Answer in one word: {{ q }}"], models=["gpt-4o"], dataset=[{"q": "2+2?"}])
    run = plan.run()
    run.generations()

Importing does no work: each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit import charts, errors, read
    from labkit.catalog.model import Model, Weights
    from labkit.catalog.per_step import per_step
    from labkit.engine.retry import Policy
    from labkit.lab import Lab
    from labkit.plan import Plan
    from labkit.prompts import Block, Chain, Prompt, Step
    from labkit.providers.script import Script
    from labkit.run import Run
    from labkit.run.arena import Arena
    from labkit.scoring import Scorer, contains, duel, exact, judge, numeric, regex
    from labkit.widgets.grid import LiveGrid
    from labkit.widgets.history import History
    from labkit.widgets.models import ModelSelector
    from labkit.widgets.prompts import PromptSelector
    from labkit.widgets.workbench import Workbench

_HOMES = {
    "Arena": "labkit.run.arena",
    "Block": "labkit.prompts",
    "Chain": "labkit.prompts",
    "History": "labkit.widgets.history",
    "Lab": "labkit.lab",
    "LiveGrid": "labkit.widgets.grid",
    "Model": "labkit.catalog.model",
    "ModelSelector": "labkit.widgets.models",
    "Plan": "labkit.plan",
    "Policy": "labkit.engine.retry",
    "Prompt": "labkit.prompts",
    "PromptSelector": "labkit.widgets.prompts",
    "Run": "labkit.run",
    "Scorer": "labkit.scoring",
    "Step": "labkit.prompts",
    "Script": "labkit.providers.script",
    "Weights": "labkit.catalog.model",
    "Workbench": "labkit.widgets.workbench",
    "charts": "labkit.charts",
    "contains": "labkit.scoring",
    "duel": "labkit.scoring",
    "errors": "labkit.errors",
    "exact": "labkit.scoring",
    "judge": "labkit.scoring",
    "numeric": "labkit.scoring",
    "per_step": "labkit.catalog.per_step",
    "read": "labkit.read",
    "regex": "labkit.scoring",
}

__all__ = [
    "Arena",
    "Block",
    "Chain",
    "History",
    "Lab",
    "LiveGrid",
    "Model",
    "ModelSelector",
    "Plan",
    "Policy",
    "Prompt",
    "PromptSelector",
    "Run",
    "Scorer",
    "Script",
    "Step",
    "Weights",
    "Workbench",
    "charts",
    "contains",
    "duel",
    "errors",
    "exact",
    "judge",
    "numeric",
    "per_step",
    "read",
    "regex",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(__all__)}")
    home = import_module(_HOMES[name])
    found = home if _HOMES[name] == f"labkit.{name}" else getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext labkit`: registers `%%prompt` and `%models`, and does nothing else."""
    import_module("labkit.magics").load_ipython_extension(ipython)
