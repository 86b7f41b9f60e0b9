"""`labkit` on the command line: fetch models, run notebooks, read a lab; `--json` where it prints data."""

from labkit.cli.main import main

__all__ = ["main"]
