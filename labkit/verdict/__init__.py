"""What a comparison allows to say: a frame, a table and plain sentences."""

from labkit.verdict.several import Verdicts
from labkit.verdict.value import Verdict, verdict

__all__ = ["Verdict", "Verdicts", "verdict"]
