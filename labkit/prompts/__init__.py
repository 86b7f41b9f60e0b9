"""A prompt and its context blocks: variables, rendering, names, files.

It does not know models, keys or the lab that numbers a prompt's versions.
"""

from labkit.prompts.block import Block
from labkit.prompts.check import check, missing_variables
from labkit.prompts.names import is_ref, name_faults, parse_ref, twin_faults
from labkit.prompts.prompt import Prompt

__all__ = [
    "Block",
    "Prompt",
    "check",
    "is_ref",
    "missing_variables",
    "name_faults",
    "parse_ref",
    "twin_faults",
]
