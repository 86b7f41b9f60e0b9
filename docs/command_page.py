"""Reference pages that the code itself tells: the command line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from labkit.cli.main import labkit


def commands() -> str:
    """Every command with its arguments and options, as its `--help` says."""
    return "\n".join(["# Commands", "", f"{labkit.help}", "", *_commands(labkit, "labkit")])


def _commands(group: click.Group, above: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        context = click.Context(command, info_name=f"{above} {name}")
        usage = command.get_usage(context).removeprefix("Usage: ")
        yield from (f"## {above} {name}", "", "```text", usage, "```", "")
        yield from inspect.cleandoc(command.help or "").splitlines()
        yield from ("", "| option | |", "|---|---|")
        for option in command.params:
            written, told = option.get_help_record(context) or ("", "")
            if isinstance(option, click.Option):
                yield f"| `{written}` | {told} |".replace("\n", " ")
        yield ""
        if isinstance(command, click.Group):
            yield from _commands(command, f"{above} {name}")
