"""What a run leaves behind for others: a page, Markdown, a card, tables as files."""

from labkit.report.card import CardFault, as_card, card_path, read_card, write_card
from labkit.report.export import export
from labkit.report.markdown import markdown
from labkit.report.material import Material, Watched
from labkit.report.page import page

__all__ = [
    "CardFault",
    "Material",
    "Watched",
    "as_card",
    "card_path",
    "export",
    "markdown",
    "page",
    "read_card",
    "write_card",
]
