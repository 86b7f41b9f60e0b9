"""numbers of prompts, given once"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply it."""
    # The driver's own: statements with `:` and `%` in them are to stay as they are written.
    op.get_bind().connection.cursor().execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
