"""A prompt, its context blocks, and chains of prompts: variables, rendering, names, files.

It does not know models, keys or the lab that numbers a prompt's versions.
"""

from labkit.prompts.block import Block
from labkit.prompts.chain import Chain, Step
from labkit.prompts.check import check, missing_variables
from labkit.prompts.names import is_ref, name_faults, parse_ref, twin_faults
from labkit.prompts.prompt import Prompt

__all__ = [
    "Block",
    "Chain",
    "Prompt",
    "Step",
    "check",
    "is_ref",
    "missing_variables",
    "name_faults",
    "parse_ref",
    "twin_faults",
]
