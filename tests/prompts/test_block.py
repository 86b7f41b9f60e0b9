"""labkit.prompts.block: context in front of a prompt (groups B6 and S14)."""

from __future__ import annotations

import pytest

from labkit.errors import DefinitionError
from labkit.prompts import Block, Prompt


def test_blocks_stand_in_front_in_the_documented_form():
    """Each block is between its own two lines, an empty line after it, in the order given."""
    prompt = Prompt("p", "Ask: {{ q }}", blocks=[Block("style", "Be brief."), Block("facts", "1\n2")])
    assert prompt.render({"q": "why"})[0]["content"] == (
        '<block name="style">\nBe brief.\n</block>\n\n<block name="facts">\n1\n2\n</block>\n\nAsk: why'
    )


def test_a_blocks_text_is_never_a_template():
    """S14: braces in a block stay braces, and name no variables."""
    prompt = Prompt("p", "{{ q }}", blocks=[Block("code", "{{ 7 * 7 }} {% if %} {# x #} {{ q }}")])
    assert prompt.variables == ("q",)
    assert "{{ 7 * 7 }} {% if %} {# x #} {{ q }}" in prompt.render({"q": "x"})[0]["content"]


def test_a_block_is_known_by_its_content():
    """Same name and text, same hash; another text or name, another hash."""
    assert Block("a", "x").hash == Block("a", "x").hash
    assert Block("a", "x") == Block("a", "x")
    assert len({Block("a", "x").hash, Block("a", "y").hash, Block("b", "x").hash}) == 3
    assert Block("a", "x").hash.startswith("b1:")


@pytest.mark.parametrize("text", [None, "", " \n", "a\ud800", 5, "x </block> y"])
def test_a_block_without_a_usable_text_is_refused(text):
    """B6: an empty text, half a character, or one that would end the block early is a fault."""
    with pytest.raises(DefinitionError):
        Block("a", text)


@pytest.mark.parametrize("name", ['a"b', "a<b", "a>b", "a&b", "../a", "", None])
def test_a_block_name_cannot_break_its_line(name):
    """A name that would break the line that opens the block, or a folder, is a fault."""
    with pytest.raises(DefinitionError):
        Block(name, "x")


def test_a_block_comes_from_a_file(tmp_path):
    """A block file is its text, without the empty lines around it, under the file's name."""
    (tmp_path / "policy.md").write_bytes(b"\xef\xbb\xbf\r\nRefunds take\r\nfive days.\r\n\r\n")
    assert Block.load(tmp_path / "policy.md") == Block("policy", "Refunds take\nfive days.")
    assert Block.load(tmp_path / "policy.md", name="rules").name == "rules"


def test_it_shows_itself_safely():
    """S7: a block's HTML shows hostile text as text."""
    shown = Block("a", "<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert repr(Block("a", "x" * 1234)) == "Block('a', 1,234 characters)"
