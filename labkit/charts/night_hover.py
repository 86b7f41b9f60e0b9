"""What pointing at a mark of the chart of nights says: the figures of a finding, who answered, what changed.

All of it is escaped for Plotly. It draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from labkit.charts.figure_layout import counted
from labkit.charts.model_styles import plotly_text
from labkit.charts.night_cells import CANNOT_TELL, COST, SCORE, WORSE, Cell
from labkit.charts.night_data import Night, Nights

MOST_LINES = 8
MOST_NAMES = 3


def when(night: Night) -> str:
    """Which night it is."""
    return f"night {night.number:,}" + (f", {night.day}" if night.day else "")


def called(metric: str) -> str:
    """A metric as a person calls it."""
    if metric.startswith(SCORE):
        return plotly_text(metric.removeprefix(SCORE), limit=60)
    return "price" if metric == COST else plotly_text(metric, limit=60)


def of_night(given: Nights, night: Night) -> str:
    """Its outcome, and what was not well."""
    found = [
        f"{given.styles[name].label}, {called(metric)}: {_said(cell)}"
        for (name, metric), cell in night.cells.items()
        if cell.said in (WORSE, CANNOT_TELL)
    ]
    more = [f"and {len(found) - MOST_LINES:,} more"] if len(found) > MOST_LINES else []
    head = f"{when(night)}: {plotly_text(night.outcome, limit=60)}"
    return "<br>".join([head, *found[:MOST_LINES], *more])


def of_cell(label: str, night: Night, metric: str, cell: Cell) -> str:
    """One finding whole."""
    return "<br>".join(
        [
            label,
            f"{when(night)}, {called(metric)}: {_said(cell)}",
            *_figures(metric, cell),
            *_names("answered by", cell.resolved),
            *_names("changed:", cell.causes),
        ]
    )


def of_cells(label: str, night: Night, cells: Mapping[str, Cell], said: str) -> str:
    """All that was found of one contender; figures only of what is not well."""
    told = [
        f"{called(metric)}: {' · '.join([_said(cell), *_figures(metric, cell)])}"
        for metric, cell in cells.items()
        if cell.said in (WORSE, CANNOT_TELL)
    ]
    return "<br>".join([label, f"{when(night)}: {said}", *told[:MOST_LINES]])


def _figures(metric: str, cell: Cell) -> list[str]:
    """Before, now, change with its interval and the margin, as far as they are known."""
    score = metric.startswith(SCORE)
    unit = "" if score else " USD an answer" if metric == COST else " s"
    found = []
    if cell.now is not None:
        before = "" if cell.before is None else f", baseline {cell.before:.3g}{unit}"
        found.append(f"{cell.now:.3g}{unit}{before}")
    if cell.change is not None:
        number = "+.3g" if score else ".3g"
        change = f"{cell.change:{number}}" + ("" if score else " × the baseline")
        if cell.low is not None and cell.high is not None:
            change += f" ({cell.low:{number}} to {cell.high:{number}})"
        margin = "" if cell.margin is None else f", margin {cell.margin:.3g}"
        found.append(f"{'change ' if score else ''}{change}{margin}")
    if cell.samples:
        found.append(counted(cell.samples, "row"))
    return found


def lines(text: str) -> str:
    """A text of several lines, each escaped."""
    return "<br>".join(plotly_text(line, limit=160) for line in text.split("\n")[:MOST_LINES])


def _said(cell: Cell) -> str:
    return plotly_text(f"still {cell.said}" if cell.said == WORSE and cell.stands else cell.said, limit=60)


def _names(head: str, names: tuple[str, ...]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return [f"{head} {', '.join(plotly_text(one, limit=80) for one in names[:MOST_NAMES])}{more}"]
