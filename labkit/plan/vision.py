"""Whether the models of a design can take the images its prompts send; asked before anything is paid for.

It reads no image: what a prompt's rendering noted of it is enough.
"""

from __future__ import annotations

from collections.abc import Iterator

from labkit.catalog.model import Model
from labkit.design import Design
from labkit.errors import DefinitionError
from labkit.messages import Part, images_in

ANTHROPIC_BYTES = 5 * 1024 * 1024
ANTHROPIC_SIDE = 8000
"""What Anthropic takes of one image: bytes, and pixels of the longer side."""
_SHOWN = 3


def check(design: Design) -> None:
    """Raise `DefinitionError` for every model that cannot take an image it would be sent, naming samples."""
    sent = list(_sent(design))
    if not sent:
        return
    faults = []
    for model in design.models:
        refused: dict[str, list[str]] = {}
        for sample, part in sent:
            if why := _why_not(model, part):
                refused.setdefault(why, []).append(sample)
        faults += [f"{model.id} {why}: {_named(samples)}." for why, samples in refused.items()]
    if faults:
        raise DefinitionError(faults)


def _sent(design: Design) -> Iterator[tuple[str, Part]]:
    for (_, sample), messages in design.messages.items():
        for part in images_in(messages):
            yield design.dataset.samples[sample].id, part


def _why_not(model: Model, part: Part) -> str | None:
    if model.dialect == "local" or "vision" in model.lacks:
        return "reads no images, and would be sent one"
    if model.dialect == "anthropic" and "image" in part:
        if part["bytes"] > ANTHROPIC_BYTES:
            return (
                f"takes images of at most {ANTHROPIC_BYTES / 2**20:.0f} MiB, and would be sent a larger one"
            )
        if max(part["width"], part["height"]) > ANTHROPIC_SIDE:
            return f"takes images of at most {ANTHROPIC_SIDE} pixels a side, and would be sent a larger one"
    return None


def _named(samples: list[str]) -> str:
    distinct = list(dict.fromkeys(samples))
    rest = f" and {len(distinct) - _SHOWN:,} more" if len(distinct) > _SHOWN else ""
    return f"sample{'' if len(distinct) == 1 else 's'} {', '.join(map(repr, distinct[:_SHOWN]))}{rest}"
