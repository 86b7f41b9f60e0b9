"""`labkit pull`: fetch what is fetched on request only: local models' weights, tokenizers' vocabularies."""

from __future__ import annotations

from pathlib import Path

import click

from labkit import tokens, weights
from labkit.cli.output import json_option, show_json


@click.command()
@click.argument("names", nargs=-1, required=True)
@json_option
def pull(names: tuple[str, ...], as_json: bool) -> None:
    """Fetch weights: smollm2-135m, gemma-3-270m, or a GGUF from the Hub as hf:ORG/REPO/FILE.gguf.

    `tokenizers` fetches tiktoken's vocabularies, for exact counts of OpenAI models' input. What is here
    already is not fetched again.
    """
    fetched: dict[str, str] = {}
    for name in names:
        fetched[name] = str(
            _tokenizers() if name == "tokenizers" else weights.pull(name, progress=_say(as_json))
        )
    if as_json:
        show_json(fetched)


def _tokenizers() -> Path:
    return tokens.fetch()


def _say(quiet: bool):  # type: ignore[no-untyped-def]
    return None if quiet else click.echo
