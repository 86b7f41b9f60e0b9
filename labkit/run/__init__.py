"""A launch of a plan: start, watch, stop, resume, and its rows."""

from labkit.run.bench import Bench
from labkit.run.handle import Run
from labkit.run.launch import Settings

__all__ = ["Bench", "Run", "Settings"]
