"""`labkit pull`: fetch what is fetched on request only: local models' weights, tokenizers' vocabularies."""

from __future__ import annotations

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
    say = None if as_json else click.echo
    fetched: dict[str, str] = {}
    for name in names:
        if name == "tokenizers":
            fetched[name] = str(tokens.fetch())
        else:
            fetched[name] = str(weights.pull(name, progress=say))
    if as_json:
        show_json(fetched)
    elif "tokenizers" in names:
        click.echo(f"tokenizers: {', '.join(tokens.VOCABULARIES)} in {fetched['tokenizers']}")
