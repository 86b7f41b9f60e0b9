"""`labkit replay CARD`: rebuild a run's plan, tables and verdict from the lab, and compare with the card.

It asks no model and contacts nobody: all it needs is the card and the lab.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from labkit.cli.output import json_option, show_json
from labkit.cli.which_lab import existing, lab_option


@click.command()
@click.argument("card", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@lab_option
def replay(card: Path, as_json: bool, path: str | None) -> None:
    """Rebuild what CARD tells from the lab, offline. The exit code is 1 where they do not agree."""
    from labkit import summary
    from labkit.report import read_card
    from labkit.report.card import apart

    kept = read_card(card)
    lab = existing(path)
    run = lab.run(kept["run"]["run_id"])
    now = run.card(question=kept.get("question"), **_settings(kept))
    plan = run.design()
    found = apart(kept, now)
    if run.plan_id(plan) != kept["run"]["plan_id"]:
        found.append("plan: its cells, as the lab has them, do not give the card's plan_id")
    if as_json:
        show_json({"run_id": run.run_id, "agrees": not found, "apart": found, "card": now})
    else:
        counts = (plan[name].nunique() for name in ("prompt", "model", "sample_id", "repeat"))
        product = " × ".join(
            f"{count:,} {noun}{'' if count == 1 else 's'}"
            for count, noun in zip(counts, ("prompt", "model", "sample", "repeat"), strict=True)
        )
        click.echo(f"plan       {product}, {len(plan):,} cells\n")
        click.echo(summary.text(run.summary(score=kept["settings"].get("score"))))
        if now["verdict"]:
            click.echo("\n" + "\n".join([now["verdict"]["headline"], *now["verdict"]["sentences"][:12]]))
        click.echo(
            "\nthe card   " + ("agrees" if not found else "does not agree:\n  " + "\n  ".join(found[:20]))
        )
    sys.exit(1 if found else 0)


def _settings(card: dict[str, Any]) -> dict[str, Any]:
    known = ("score", "by", "margin", "level", "against", "clusters", "better")
    return {name: card["settings"][name] for name in known if name in card["settings"]}
