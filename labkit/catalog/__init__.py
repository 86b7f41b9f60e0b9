"""Models: who answers, where, for which limits and at which dated prices.

It does not know keys, nor how anything is asked.
"""

from labkit.catalog.catalog import Catalog
from labkit.catalog.check import faults
from labkit.catalog.model import CAPABILITIES, Model, Weights
from labkit.catalog.prices import Pricer, pricer
from labkit.catalog.rates import Price

__all__ = ["CAPABILITIES", "Catalog", "Model", "Price", "Pricer", "Weights", "faults", "pricer"]
