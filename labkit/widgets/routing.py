"""Lets a widget hear its buttons while a cell keeps the kernel busy.

JupyterLab sends a widget's messages to a subshell, which answers while a cell runs. ipykernel 7.4
diverts the answers to a widget that was made in a cell back to the main shell, where they wait for the
cell's end: for a Stop button that is too late.
"""

from __future__ import annotations

from typing import Any


def answer_while_busy(widget: Any) -> None:
    """Leave the messages to `widget` on the shell the browser sent them to.

    Callbacks then run in another thread than the cells, so they must only call what is safe from any
    thread. Kernels without that diversion are left as they are.
    """
    comm = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, asked: asked
