"""`labkit` on the command line: fetch models, execute notebooks, read a lab. `--json` wherever it prints data."""

from labkit.cli.main import main

__all__ = ["main"]
