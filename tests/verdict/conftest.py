"""Frames of generations, as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from tests.verdict import frames


@pytest.fixture
def frame() -> Callable[..., pd.DataFrame]:
    """Makes a frame of generations from scores: `tests.verdict.frames.frame`."""
    return frames.frame


@pytest.fixture
def ones() -> Callable[..., list[int]]:
    """Makes scores of an exact rate at random places: `tests.verdict.frames.ones`."""
    return frames.ones
