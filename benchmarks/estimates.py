"""How often the true cost lies in the range that `plan.estimate()` gives after a pilot: by simulation.

    python benchmarks/estimates.py            # 2,000 studies a cell; writes benchmarks/estimates.md
    python benchmarks/estimates.py 200        # fewer, printed only

Each study draws the output lengths of a pilot of n answers and of N answers to come from one distribution,
and asks `labkit.plan.forecast.output` for the range of the total. Input costs nothing there: it is counted
beforehand, and would only make the range relatively narrower. Measured lengths lie in `lengths.json`.
A few kinds are tried through `lab.plan` as well: a pilot, its estimate, and what the rest then cost.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.random import Generator

import labkit as lk
from labkit.catalog.model import Model
from labkit.plan.forecast import output
from labkit.plan.past_answers import Seen
from labkit.providers.script import Reply
from labkit.records import Request, Usage

PILOTS = (5, 10, 20, 50)
TO_COME = (20, 200, 2000)
TYPICAL = 60
LEAST = 0.9
MODEL = Model("simulated/m", dialect="openai")
MEASURED = json.loads((Path(__file__).parent / "lengths.json").read_text(encoding="utf-8"))

Draw = Callable[[Generator, int], np.ndarray]


@dataclass(frozen=True)
class Cell:
    """One kind of study."""

    data: str
    max_tokens: int | None
    pilot: int
    to_come: int

    @property
    def name(self) -> str:
        """Data, limit and sizes."""
        return f"{self.data} | {self.max_tokens} | {self.pilot} | {self.to_come}"


@dataclass(frozen=True)
class Counted:
    """What a cell came to: shares of studies, and the median of high ÷ low and of high ÷ truth."""

    cell: Cell
    below: float
    above: float
    ratio: float
    over: float

    @property
    def held(self) -> float:
        """The share of studies whose true total lay in the range."""
        return 1 - self.below - self.above


def constant(_: Generator, size: int) -> np.ndarray:
    """Every answer alike."""
    return np.full(size, 31.0)


def lognormal(sigma: float) -> Draw:
    """Median 60 tokens."""
    return lambda rng, size: np.maximum(1, np.round(TYPICAL * np.exp(sigma * rng.normal(size=size))))


def reasoning(share: float) -> Draw:
    """Lognormal (sigma 0.3), and on a share of rows 10 to 50 times as long."""
    plain = lognormal(0.3)

    def draw(rng: Generator, size: int) -> np.ndarray:
        lengths = plain(rng, size)
        long = rng.random(size) < share
        return np.where(long, np.round(lengths * rng.uniform(10, 50, size=size)), lengths)

    return draw


def measured(name: str) -> Draw:
    """As the local model answered."""
    lengths = np.asarray(MEASURED["output_tokens"][name], dtype=float)
    return lambda rng, size: rng.choice(lengths, size=size)


def runaway(rng: Generator, size: int) -> np.ndarray:
    """Labels of 3 tokens, of which one in a hundred repeats itself until a limit of 4,096."""
    return np.where(rng.random(size) < 0.01, 4096.0, 3.0)


def hundredfold(rng: Generator, size: int) -> np.ndarray:
    """Lognormal (sigma 0.3), and on a tenth of the rows a hundred times as long."""
    lengths = lognormal(0.3)(rng, size)
    return np.where(rng.random(size) < 0.1, 100 * lengths, lengths)


HEAVY = ("lognormal, sigma 2", "lognormal, sigma 2.5", "10% of rows × 100")
DATA: dict[str, tuple[Draw, tuple[int | None, ...]]] = {
    "constant": (constant, (None,)),
    **{f"lognormal, sigma {sigma}": (lognormal(sigma), (None,)) for sigma in (0.3, 0.6, 1.0)},
    "lognormal, sigma 1.5": (lognormal(1.5), (None, 1024)),
    HEAVY[0]: (lognormal(2.0), (None, 1024, 16384)),
    HEAVY[1]: (lognormal(2.5), (None, 4096, 16384)),
    HEAVY[2]: (hundredfold, (None, 8192)),
    "labels of 3, 1% run away": (runaway, (None, 4096)),
    **{f"{share:.0%} reason": (reasoning(share), (None, 1024)) for share in (0.05, 0.2, 0.5)},
    **{name: (measured(name), (MEASURED["max_tokens"],)) for name in MEASURED["output_tokens"]},
}
"""Name → how lengths are drawn, and under which `max_tokens` (None: none is set)."""


PUBLIC = tuple(
    Cell(data, limit, 20, 180)
    for data, limit in (
        ("constant", 31),
        ("labels of 3, 1% run away", 4096),
        (HEAVY[1], 16384),
        (HEAVY[2], 8192),
    )
)
"""What is tried through `lab.plan` too; where all answers have the limit's length, input alone varies."""


def cells(pilots: tuple[int, ...] = PILOTS, to_come: tuple[int, ...] = TO_COME) -> Iterator[Cell]:
    """Every cell of the table."""
    for data, (_, limits) in DATA.items():
        for limit in limits:
            for pilot in pilots:
                for number in to_come:
                    yield Cell(data, limit, pilot, number)


def promised(cell: Cell) -> bool:
    """Whether the docstring of `labkit.plan.forecast` promises this cell: answers keep to the limit."""
    return cell.data not in HEAVY or cell.max_tokens is not None


def count(cell: Cell, studies: int) -> Counted:
    """Simulate a cell; the same cell always draws the same studies."""
    draw, _ = DATA[cell.data]
    rng = np.random.default_rng(crc32(cell.name.encode()))
    most = np.inf if cell.max_tokens is None else cell.max_tokens
    params = {} if cell.max_tokens is None else {"max_tokens": cell.max_tokens}
    low, high, truth = np.empty(studies), np.empty(studies), np.empty(studies)
    for study in range(studies):
        seen = np.minimum(draw(rng, cell.pilot), most)
        past = Seen(answers=cell.pilot, output_tokens=tuple(seen.tolist()), input_tokens={})
        found = output(past, MODEL, params, units=cell.to_come)
        low[study], high[study] = found.low * cell.to_come, found.high * cell.to_come
        truth[study] = np.minimum(draw(rng, cell.to_come), most).sum()
    return _counted(cell, low, high, truth)


def count_public(cell: Cell, studies: int) -> Counted:
    """The same by `plan.pilot`, `plan.estimate` and `plan.run`: what was paid for the rest, in USD.

    Texts are of lognormal lengths, and the provider counts what we do not know: 12 tokens more for each
    request, and one for 4.6 characters, give or take a tenth.
    """
    draw, _ = DATA[cell.data]
    assert cell.max_tokens is not None
    most = cell.max_tokens

    def answer(request: Request) -> Reply:
        rng = np.random.default_rng(crc32(request.request_id.encode()))
        counted = 12 + len(request.messages[-1]["content"]) / 4.6 * np.exp(0.1 * rng.normal())
        answered = int(min(draw(rng, 1)[0], most))
        return Reply("ok", usage=Usage(input_tokens=round(counted), output_tokens=answered))

    script = lk.Script(answer, version=cell.name)
    model = Model("scripted/m", client=script, prices={"input": 1, "output": 10})
    low, high, truth = np.empty(studies), np.empty(studies), np.empty(studies)
    with tempfile.TemporaryDirectory() as folder:
        lab = lk.Lab(Path(folder) / "lab.duckdb")
        for study in range(studies):
            words = np.ceil(np.random.default_rng(study).lognormal(3, 0.7, cell.pilot + cell.to_come))
            plan = lab.plan(
                prompts=[f"Study {study}: label {{{{ text }}}}"],
                models=[model],
                dataset=[{"text": f"{n} {'word ' * int(many)}"} for n, many in enumerate(words)],
                params={"max_tokens": most},
                seed=study,
            )
            plan.pilot(cell.pilot, progress="none")
            told = plan.estimate()
            rows = plan.run(progress="none").generations()
            low[study], high[study] = told.cost_low_usd, told.cost_high_usd
            truth[study] = rows.loc[rows["replayed_from"].isna(), "cost_usd"].sum()
    return _counted(cell, low, high, truth)


def _counted(cell: Cell, low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> Counted:
    return Counted(
        cell,
        below=float((truth < low * (1 - 1e-9)).mean()),
        above=float((truth > high * (1 + 1e-9)).mean()),
        ratio=float(np.median(high / low)),
        over=float(np.median(high / truth)),
    )


def table(found: list[Counted]) -> str:
    """Markdown, worst cell first."""
    lines = [
        "| lengths | max_tokens | pilot | to come | coverage | truth below | truth above | high ÷ low "
        "| high ÷ truth |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in sorted(found, key=lambda one: (one.held, one.cell.name)):
        cell = one.cell
        lines.append(
            f"| {cell.data} | {cell.max_tokens or '–'} | {cell.pilot} | {cell.to_come:,} | {one.held:.3f} "
            f"| {one.below:.3f} | {one.above:.3f} | {one.ratio:.2f} | {one.over:.2f} |"
        )
    return "\n".join(lines)


def report(found: list[Counted], public: list[Counted], studies: int) -> str:
    """The tables: what is promised, the same through `lab.plan`, and what is not promised."""
    kept = [one for one in found if promised(one.cell)]
    short = [one for one in kept if one.held < LEAST]
    names = ", ".join(one.cell.name for one in short) or "none"
    rest = [one for one in found if not promised(one.cell)]
    return (
        f"{studies:,} studies a cell; the simulation's own error is about 0.6 points.\n"
        f"Cells of the promise: {len(kept)}; below 90 %: {names}.\n\n"
        f"## What is promised: at least 90 %\n\n{table(kept)}\n\n"
        f"## Through `plan.pilot`, `plan.estimate` and `plan.run`: {studies // 20} studies each\n\n"
        "With the input. The simulation's own error is 2 to 3 points.\n\n"
        f"{table(public)}\n\n"
        f"## What is not: no limit, and answers longer than the one assumed\n\n{table(rest)}\n"
    )


def main() -> None:
    """Simulate every cell; write the page where the studies are enough for it."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    started = time.perf_counter()
    every = list(cells())
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(count, every, [studies] * len(every)))
        public = list(pool.map(count_public, PUBLIC, [studies // 20] * len(PUBLIC)))
    told = report(found, public, studies)
    print(told, f"{time.perf_counter() - started:.0f} s", sep="\n")
    if studies >= 2000:
        page = Path(__file__).with_suffix(".md")
        head = page.read_text(encoding="utf-8").partition("<!-- table -->")[0]
        page.write_text(f"{head}<!-- table -->\n{told}", encoding="utf-8")


if __name__ == "__main__":
    main()
