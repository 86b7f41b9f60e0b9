"""Keeps: generations in, frames out. Journals first, then DuckDB tables that plain DuckDB can read.

It does not know models, plans or how to ask.
"""

from labkit.store.definition_records import (
    BlockRecord,
    LabelRecord,
    ModelRecord,
    PromptRecord,
    RatingRecord,
    SampleRecord,
)
from labkit.store.journal_directory import network_file_system
from labkit.store.store import Store
from labkit.store.writer import Writer

__all__ = [
    "BlockRecord",
    "LabelRecord",
    "ModelRecord",
    "PromptRecord",
    "RatingRecord",
    "SampleRecord",
    "Store",
    "Writer",
    "network_file_system",
]
