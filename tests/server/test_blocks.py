"""`GET /blocks`: the saved blocks that a caller may use, with their beginnings."""

from __future__ import annotations

from typing import Any

import labkit as lk
from tests.server.running import Running


def names(served: Running, who: str, **query: Any) -> list[str]:
    """The names of the blocks that somebody sees."""
    answer = served.ask("GET", "/blocks", as_=who, params=query)
    assert answer.status_code == 200, answer.text
    return [block["name"] for block in answer.json()]


def test_a_saved_block_is_listed_with_its_beginning(served: Running) -> None:
    """Name, hash, length and the first 200 characters; the newest first; saved a moment ago is there."""
    assert names(served, "ada") == []
    long, short = lk.Block("long", "word " * 100), lk.Block("short", "Be brief.")
    served.service.lab.prompts.save(lk.Prompt("one", "{{ text }}", blocks=[long]))
    served.service.lab.prompts.save(lk.Prompt("two", "{{ text }}", blocks=[short]))
    first, second = served.ask("GET", "/blocks").json()
    assert first == {"name": "short", "hash": short.hash, "length": 9, "beginning": "Be brief."}
    assert (second["hash"], second["length"]) == (long.hash, 500)
    assert second["beginning"] == ("word " * 40).strip()


def test_a_block_of_another_workspace_is_not_listed(served: Running) -> None:
    """What only the runs of one workspace used is seen by its members alone."""
    block = lk.Block("private", "Ours alone.")
    served.service.lab.prompts.save(lk.Prompt("kept", "{{ text }}", blocks=[block]))
    served.execute("Hi", "scripted/echo", context_blocks=["private"])
    assert names(served, "vic") == names(served, "ada", workspace_id="default") == ["private"]
    assert names(served, "otto") == []
    assert served.ask("GET", "/blocks", as_="otto", params={"workspace_id": "default"}).status_code == 404
