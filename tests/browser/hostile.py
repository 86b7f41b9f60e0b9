"""Prompts, models and samples for the browser tests' notebooks, named and filled with hostility."""

from __future__ import annotations

import pandas as pd

import labkit as lk

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<style>@import 'http://203.0.113.1/x';* {display:none}</style>",
    '<a href="javascript:alert(1)">link</a>',
    "![t](http://203.0.113.1/?q=1)",
    "turned\u202e back\u2066 zero\u200bwidth \x1b[31mred",
    "{{ 7 * 7 }} ${7 * 7}",
    "<b>bold</b><br>&amp;",
]
ALL = " ".join(HOSTILE)


def model(name: str, label: str) -> lk.Model:
    """A model that says everything at once; its label is hostile too, and its name as far as it may be."""
    script = lk.Script(lambda request: ALL, version="1")
    return lk.Model(f"scripted/{name}", client=script, label=label)


def allowed(names: list[str]) -> list[lk.Model]:
    """Models of these names, those left out that no lab takes."""
    found = []
    for name in names:
        try:
            found.append(model(name, name))
            len(lk.Lab("unused.duckdb", models=found).models)
        except lk.errors.DefinitionError:
            found.pop()
    return found


models = [model("plain", HOSTILE[1]), *allowed([*HOSTILE, "<b>x", "a&b", "x'y", 'x"y'])][:4]
ids = [one.id for one in models]
table = pd.DataFrame(
    {"id": [*HOSTILE[4:7], HOSTILE[9]], HOSTILE[0]: HOSTILE[:4], "text": HOSTILE[:4], "target": HOSTILE[4:8]}
)
experiment = HOSTILE[9].replace("/", "")
prompt = lk.Prompt(
    "nasty",
    "{{ text }} " + ALL.replace("{{ 7 * 7 }}", ""),
    system=HOSTILE[1],
    description=HOSTILE[0],
)
