"""labkit.prompts.files: Markdown with front matter (groups B6, B8, S13)."""

from __future__ import annotations

import pytest

from labkit.errors import DefinitionError, UnknownPrompt
from labkit.prompts import Prompt
from labkit.prompts.files import find, names_in

FULL = """---
name: triage
description: "One word: a ticket"
# a comment
system: |
  You sort tickets.
  Be brief.
defaults: {tone: neutral, count: 3}
---

Classify in a {{ tone }} way, {{ count }} words: {{ text }}

"""


@pytest.fixture
def write(tmp_path):
    def written(text, name="triage.md"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def test_a_file_is_a_prompt(write):
    """Front matter gives name, description, system part and defaults; the rest is the user part."""
    prompt = Prompt.load(write(FULL, "other.md"))
    assert prompt == Prompt(
        "triage",
        "Classify in a {{ tone }} way, {{ count }} words: {{ text }}",
        system="You sort tickets.\nBe brief.\n",
        defaults={"tone": "neutral", "count": 3},
    )
    assert prompt.description == "One word: a ticket"


def test_without_front_matter_the_file_is_the_text(write):
    """A file of text alone is a prompt named after the file."""
    assert Prompt.load(write("\nSay hi to {{ who }}\n\n", "greet.md")) == Prompt(
        "greet", "Say hi to {{ who }}"
    )


def test_marks_and_line_ends_do_not_matter(write):
    """B8: a byte order mark and Windows line ends change neither the prompt nor its hash."""
    windows = b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode()
    assert Prompt.load(write(windows)).hash == Prompt.load(write(FULL)).hash


def test_rules_inside_the_text_stay(write):
    """A line of dashes in the text, or front matter that holds nothing, is no trouble."""
    assert Prompt.load(write("---\n---\na\n---\nb")).text == "a\n---\nb"
    assert Prompt.load(write("a\n---\nb")).text == "a\n---\nb"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("---\nname: x\nSay hi", "no second ---"),
        ("---\nnaem: x\n---\nhi", "Did you mean 'name'"),
        ("---\ntemperature: 1\n---\nhi", "There are name, description, system, defaults"),
        ("---\nname: 5\n---\nhi", "put it in quotes"),
        ("---\nname: no\n---\nhi", "put it in quotes"),
        ("---\nsystem: [a]\n---\nhi", "put it in quotes"),
        ("---\ndefaults: a\n---\nhi", "a mapping"),
        ("---\njust text\n---\nhi", "lines of `key: value`"),
        ("---\nname: a\nname: b\n---\nhi", "name stands twice, again in line 3"),
        ("---\na: &x 1\nb: *x\n---\nhi", "aliases are not read"),
        ("---\nname: !!python/object/apply:os.system ['id']\n---\nhi", "cannot be read"),
        ("---\nname: 'a\n---\nhi", "cannot be read"),
        ("---\nname: a\tb: c: d\n---\nhi", "cannot be read"),
        ("---\n" + "[" * 5000 + "\n---\nhi", "cannot be read"),
        ("---\nname: ../x\n---\nhi", "holds '/'"),
        ("---\nname: x\n---\n \n", "is empty"),
        ("---\nname: x\n---\n{{ a", "line 1"),
        ("---\ndefaults: {b: 1}\n---\n{{ a }}", "does not use"),
        ("", "is empty"),
        (b"hi \xff", "not UTF-8"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_file(write, text, why):
    """A broken file is a fault that names the file and what to write instead."""
    with pytest.raises(DefinitionError, match=why) as caught:
        Prompt.load(write(text))
    assert "triage.md" in str(caught.value)


def test_everything_wrong_in_a_file_is_named_at_once(write):
    """All faults of the front matter stand in one error."""
    with pytest.raises(DefinitionError) as caught:
        Prompt.load(write("---\nname: 5\nsystm: x\ndefaults: 3\n---\nhi"))
    assert len(caught.value.faults) == 3


def test_a_missing_file_names_its_neighbours(write, tmp_path):
    """S13: a file that is not there names the nearest that are."""
    write("hi")
    with pytest.raises(DefinitionError, match=r"Near it: triage\.md"):
        Prompt.load(tmp_path / "triag.md")


def test_a_prompt_is_found_by_name(write, tmp_path):
    """A name stands for the file of that name; README is no prompt."""
    write("hi")
    write("about", "README.md")
    assert names_in(tmp_path) == ["triage"]
    assert Prompt.load(find("triage", folder=tmp_path)).text == "hi"
    with pytest.raises(UnknownPrompt, match="There are triage"):
        find("triaje", folder=tmp_path)
    assert names_in(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "name", ["../triage", "/etc/passwd", "~/x", "a\0b", "..", "file:///etc/passwd", "C:\\x"]
)
def test_a_name_cannot_leave_the_folder(write, tmp_path, name):
    """S13: a name that would lead out of the folder is refused before a file is touched."""
    write("hi")
    inner = tmp_path / "prompts"
    inner.mkdir()
    with pytest.raises(UnknownPrompt):
        find(name, folder=inner)


def test_a_link_cannot_leave_the_folder(write, tmp_path):
    """S13: a link out of the folder is not followed; one inside it is."""
    write("secret", "secret.md")
    inner = tmp_path / "prompts"
    inner.mkdir()
    (inner / "out.md").symlink_to(tmp_path / "secret.md")
    (inner / "real.md").write_text("hi")
    (inner / "alias.md").symlink_to(inner / "real.md")
    with pytest.raises(UnknownPrompt, match="leads out"):
        find("out", folder=inner)
    assert Prompt.load(find("alias", folder=inner)).text == "hi"
