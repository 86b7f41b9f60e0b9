"""All methods of labkit.stats keep their level on hard data; benchmarks/coverage.py has the whole table."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "coverage.py"
_spec = importlib.util.spec_from_file_location("labkit_benchmarks_coverage", FILE)
coverage = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = coverage
_spec.loader.exec_module(coverage)

CELLS = list(coverage.cells())


def short_of(cells, *, studies):
    """How far the cells together fall short of what they claim, and which one does so beyond chance."""
    found = [coverage.count(cell, studies=studies) for cell in cells]
    # A level of .95 is counted with an error of .22 ÷ √studies; of hundreds of cells one is 3 of it away.
    alone = [
        one.cell.name
        for one in found
        if one.held < one.cell.least - 3.5 * max(0.22 / one.studies**0.5, 0.006)
    ]
    total = sum(one.studies for one in found)
    return sum((one.cell.least - one.held) * one.studies for one in found) / total, alone


@pytest.mark.parametrize("method", sorted({cell.method for cell in CELLS}))
def test_every_method_keeps_its_level(method):
    """In 60 studies a cell no method falls short of its claim beyond chance, in all or in one cell."""
    short, alone = short_of([cell for cell in CELLS if cell.method == method], studies=60)
    assert short < 0.025
    assert not alone


def test_a_method_five_points_short_is_caught():
    """The check above is worth something: intervals at 90 % that claim 95 % do not pass it."""
    import numpy as np

    from labkit.stats import mean_interval

    def narrow(rng):
        found = mean_interval(rng.normal(size=50), level=0.90)
        return bool(found.low <= 0 <= found.high)

    cells = [coverage.Cell("interval", "narrow", str(i), 50, 0.95, 0.95, narrow) for i in range(6)]
    assert short_of(cells, studies=60)[0] > 0.025
    assert np.mean([coverage.count(cell, studies=400).held for cell in cells]) < 0.93


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_cell_holds_its_claim(cell):
    """In 2,000 studies each cell holds the share it claims, up to the simulation's own error."""
    found = coverage.count(cell, studies=2000)
    assert found.held >= cell.least - 2.5 * (0.05 / found.studies) ** 0.5
