"""A launch of a plan: start, watch, stop, resume, and its rows."""

from labkit.run.dependencies import Dependencies
from labkit.run.handle import Run
from labkit.run.launch import Settings

__all__ = ["Dependencies", "Run", "Settings"]
