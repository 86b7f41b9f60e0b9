"""`labkit serve`: the lab over HTTP; under it `users`, `tokens` and `workspaces`.

The packages of the extra `[server]` are loaded when one of them runs, not before.
"""

from __future__ import annotations

from importlib.util import find_spec

import click
from click.core import ParameterSource

from labkit.cli.access import tokens, workspaces
from labkit.cli.service_state import database_option
from labkit.cli.users import users
from labkit.cli.which_lab import lab_option
from labkit.errors import MissingPackage

PACKAGES = ("alembic", "argon2", "fastapi", "joserfc", "python_multipart", "sqlalchemy", "uvicorn")


@click.group(invoke_without_command=True)
@lab_option
@database_option
@click.pass_context
def serve(context: click.Context, path: str | None, database: str | None) -> None:
    """Serve the lab over HTTP, to the users that `labkit serve users add` made."""
    if lacking := [name for name in PACKAGES if find_spec(name) is None]:
        raise MissingPackage(f"labkit serve needs {', '.join(lacking)}: pip install 'labkit[server]'")
    if context.invoked_subcommand is not None:
        given = [
            f"--{name}"
            for name, option in (("lab", "path"), ("database", "database"))
            if context.get_parameter_source(option) is ParameterSource.COMMANDLINE
        ]
        if given:
            raise click.UsageError(f"Put {' and '.join(given)} after {context.invoked_subcommand} ….")
        return


for command in (users, tokens, workspaces):
    serve.add_command(command)
