"""What labkit draws it draws by itself: the random numbers of the notebook stay as they were seeded."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

# A process of its own: here whatever other tests left running might draw too.
STUDY = """
import random
import numpy
import labkit as lk

random.seed(7)
numpy.random.seed(7)

def state():
    return random.getstate(), numpy.random.get_state()[1].tolist()

before = state()
models = [
    lk.Model(f"scripted/{name}", client=lk.Script(lambda request: "yes", version="1")) for name in "ab"
]
rows = [{"n": n, "label": "yes"} for n in range(40)]
lab = lk.Lab("lab.duckdb")
plan = lab.plan(prompts=["Say {{ n }}"], models=models, dataset=rows, scorers=[lk.exact("label")])
plan.head(10).run(progress="none")
run = plan.run(progress="none")
str(run.verdict()), run.summary(), run.chart("scores"), len(lab.generations())
print(before == state())
"""


def test_the_notebook_s_random_numbers_are_left_alone(
    script: Callable[[str], subprocess.Popen[str]],
) -> None:
    """Who seeded `random` or NumPy draws the same with a run in between: also what labkit's own threads do
    meanwhile, folding and waiting for locks, leaves both as they were."""
    said, trouble = script(STUDY).communicate(timeout=120)
    assert said == "True\n", trouble
