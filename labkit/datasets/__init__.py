"""Samples: a table from wherever it lies, with one identity a row.

It does not know prompts, models or the lab; SQL over the lab is run by a function the lab hands in.
"""

from labkit.datasets.dataset import Dataset, of_samples
from labkit.datasets.load import load

__all__ = ["Dataset", "load", "of_samples"]
