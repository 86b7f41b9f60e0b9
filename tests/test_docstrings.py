"""Every example in a docstring is run."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import labkit

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = sorted(info.name for info in pkgutil.walk_packages(labkit.__path__, "labkit."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str, here: Path, lab: Any, echo: Any) -> None:
    """Each `>>>` of the module gives what stands below it, with a lab and a scripted model at hand."""
    module = import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    given = {"lab": lab, "echo": echo()}
    for example in finder.find(module, name, extraglobs=given):
        told: list[str] = []
        runner.run(example, out=told.append)
        assert not runner.failures, "".join(told)


def test_every_module_says_what_it_does() -> None:
    """Each module of labkit opens with a docstring."""
    silent = [name for name in MODULES if not (import_module(name).__doc__ or "").strip()]
    assert not silent


def test_public_names_have_an_example() -> None:
    """Every class and function of `labkit.__all__` shows an example in its docstring."""
    public = [(name, getattr(labkit, name)) for name in labkit.__all__]
    without = [
        name
        for name, found in public
        if (inspect.isclass(found) or inspect.isfunction(found))
        and ">>>" not in (inspect.getdoc(found) or "")
    ]
    assert not without
