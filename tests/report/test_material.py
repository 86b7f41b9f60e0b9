"""labkit.report.material: homes are cut out of whatever is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.report.material import scrub


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ada/lab/x", "~/lab/x"),
        ('"/Users/ada/x"', '"~/x"'),
        (r"C:\Users\ada\x", r"~\x"),
        (r"C:\\Users\\ada\\x", r"~\\x"),
        ("d:/Users/ada/x", "~/x"),
        ("/root" + "/x and /rooted", "~/x and /rooted"),
        ("https://example.org/home", "https://example.org/home"),
        ("<td>/home/ada</td>", "<td>~</td>"),
    ],
)
def test_paths_of_homes_are_cut(text: str, shown: str) -> None:
    """Linux, macOS and Windows homes become ~; other text stays."""
    assert scrub(text) == shown


def test_this_persons_home_is_cut_wherever_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home in an unusual place is known from the system."""
    monkeypatch.setenv("HOME", "/srv/people/ada")
    assert str(Path.home()) == "/srv/people/ada"
    assert scrub("at /srv/people/ada/lab") == "at ~/lab"
