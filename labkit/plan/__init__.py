"""The design before a cent is spent: what it asks, what is known, what it costs."""

from labkit.plan.estimate import Estimate
from labkit.plan.plan import Plan

__all__ = ["Estimate", "Plan"]
