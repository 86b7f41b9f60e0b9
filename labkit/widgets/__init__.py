"""What a notebook shows and takes: selectors, the live grid, the workbench, the history.

Each is state in Python and a drawing of it. None of them asks a model, opens the lab, or knows how a run
is driven: what they need is handed to them.
"""
