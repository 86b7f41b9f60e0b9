"""A plan as one line and as a table: what it multiplies, what is known, what it costs. It decides nothing."""

from __future__ import annotations

import html
from collections.abc import Sequence

from labkit.design import Design, Place
from labkit.plan.estimate import Estimate, duration, plural
from labkit.plan.known import Known
from labkit.plan.power import Power
from labkit.providers import local
from labkit.visible import cut, shown


def line(design: Design, estimate: Estimate, remarks: Sequence[str] = ()) -> str:
    """`2 prompts × 1 model × 3 samples × 1 repeat = 6 requests; 0 known; USD 0.28–0.41; about 3 min`."""
    time = "" if not estimate.seconds else f"; about {duration(estimate.seconds)}"
    told = [
        f"{product(design)}; {estimate.known} known; {estimate.cost}{estimate.judges}{time}",
        *map(shown, remarks),
    ]
    return "; ".join(told)


def table(
    design: Design,
    estimate: Estimate,
    known: Known,
    *,
    missing: Sequence[str],
    power: Power | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """HTML: the product, missing keys and what is odd, the estimate, what it can show, and why cells are not
    known."""
    whys = [*known.reasons().items()]
    whys += [(f"{part.model}: {why}", n) for part in estimate.judging for why, n in part.reasons.items()]
    reasons = "".join(
        f"<tr><td style='text-align:left'>{html.escape(shown(why))}</td><td>{count}</td></tr>"
        for why, count in whys
    )
    head = "<thead><tr><th>to ask, because</th><th>cells</th></tr></thead>"
    why = f"<table>{head}<tbody>{reasons}</tbody></table>"
    keys = "".join(f"<div>{html.escape(shown(fault))}</div>" for fault in (*missing, *remarks))
    name, told = (html.escape(shown(words)) for words in (design.experiment, line(design, estimate)))
    return (
        f"<div><b>{name}</b>: {told}</div>{keys}{_read(design)}{estimate.table}"
        f"{'' if power is None else power._repr_html_()}{why if reasons else ''}"
    )


def _read(design: Design) -> str:
    """HTML: what models with a chat template of ours read of their first prompt: more than is sent."""
    told = ""
    for m, model in enumerate(design.models):
        first = next((place for place in design.places if place.model == m), None)
        messages = [] if first is None else design.messages[first.prompt, first.sample]
        if first is not None and (read := local.read_as(model, messages)) is not None:
            stop = f", until {stops!r}" if (stops := design.params[m].get("stop")) else ""
            head = f"What {model.id} reads of the first prompt, by its chat template{stop}"
            told += (
                f"<details><summary>{html.escape(shown(head))}</summary>"
                f"<pre>{html.escape(shown(cut(read, limit=6000)))}</pre></details>"
            )
    return told


def product(design: Design) -> str:
    """Prompts × models × samples × repeats; an arrow in place of the equals sign where cells were cut."""
    places: Sequence[Place] = [place for place in design.places if design.is_last(place)]
    answering = {place.line or place.model for place in places}
    several = any(len(set(place.line)) > 1 for place in places)
    models = answering if several else {design.contender(place) for place in places}
    counts = (
        (len({place.prompt for place in places}), "prompt"),
        (len(models), "model combination" if several else "model"),
        (len({place.sample for place in places}), "sample"),
        (len({place.repeat for place in places}), "repeat"),
    )
    told = " × ".join(plural(count, noun) for count, noun in counts)
    whole = counts[0][0] * counts[1][0] * counts[2][0] * counts[3][0] == len(places)
    requests = plural(len(design.places), "request")
    if design.has_chains:
        requests = f"{plural(len(places), 'answer')} in {requests}"
    return f"{told} {'=' if whole else '→'} {requests}"
