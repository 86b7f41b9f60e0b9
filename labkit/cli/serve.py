"""`labkit serve`: the lab over HTTP; under it `users`, `tokens`, `workspaces` and `budgets`.

The packages of the extra `[server]` are loaded when one of them runs, not before.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import click
from click.core import ParameterSource

from labkit.cli.access import tokens, workspaces
from labkit.cli.budgets import budgets
from labkit.cli.service_state import database_option
from labkit.cli.users import users
from labkit.cli.which_lab import lab_option
from labkit.errors import MissingPackage
from labkit.lab import Lab

PACKAGES = ("alembic", "argon2", "fastapi", "httpx2", "joserfc", "python_multipart", "sqlalchemy", "uvicorn")


def lacking() -> str | None:
    """Which packages the service lacks and how to get them; None where all are here."""
    names = [name for name in PACKAGES if find_spec(name) is None]
    return f"labkit serve needs {', '.join(names)}: pip install 'labkit[server]'" if names else None


@click.group(invoke_without_command=True)
@lab_option
@database_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8000, show_default=True, help="The port to listen at; 0 takes a free one.")
@click.option("--public-url", help="How it is reached through a proxy that encrypts: https://…")
@click.option(
    "--origin", "origins", multiple=True, help="A page of elsewhere that may ask, as http://name:port."
)
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    help="An address or network whose X-Forwarded-For is believed.",
)
@click.option("--models", type=click.Path(dir_okay=False, path_type=Path), help="A TOML file of own models.")
@click.option("--workers", default=1, show_default=True, help="So many processes.")
@click.pass_context
def serve(
    context: click.Context,
    path: str | None,
    database: str | None,
    host: str,
    port: int,
    public_url: str | None,
    origins: tuple[str, ...],
    proxies: tuple[str, ...],
    models: Path | None,
    workers: int,
) -> None:
    """Serve the lab over HTTP, to the users that `labkit serve users add` made."""
    if words := lacking():
        raise MissingPackage(words)
    if context.invoked_subcommand is not None:
        given = [
            f"--{name.replace('_', '-')}"
            for name in ("lab", "database", "host", "port", "public_url", "workers", "models")
            if context.get_parameter_source("path" if name == "lab" else name) is ParameterSource.COMMANDLINE
        ]
        if given:
            raise click.UsageError(f"Put {' and '.join(given)} after {context.invoked_subcommand} ….")
        return
    from labkit.server import settings
    from labkit.server.oidc_configuration import Oidc
    from labkit.server.serving import serve as run

    run(
        settings.Settings(
            lab=Lab(path).path.absolute(),
            state=database,
            host=host,
            port=port,
            public_url=public_url,
            origins=origins or settings.ORIGINS,
            trusted_proxies=proxies,
            models=None if models is None else models.absolute(),
            oidc=Oidc.from_environment(os.environ),
            workers=workers,
        ),
        said=click.echo,
    )


for command in (users, tokens, workspaces, budgets):
    serve.add_command(command)
