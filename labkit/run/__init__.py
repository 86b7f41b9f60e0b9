"""A launch of a plan: start, watch, stop, resume, and its rows."""

from labkit.run.handle import Run
from labkit.run.lab_services import LabServices
from labkit.run.launch import Settings

__all__ = ["LabServices", "Run", "Settings"]
