"""The page's files: their types, how they are kept, and that the content policy holds for them."""

from __future__ import annotations

import re

import httpx2
import pytest

from labkit.server import pages
from tests.server.running import Running

INLINE = re.compile(r"<style|\bstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)")
MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "Function(")


def test_the_page_is_one_small_part_of_the_service(served: Running) -> None:
    """`/` is the page; all its files together are below 150 kB, and each says what it is."""
    answer = httpx2.get(served.url)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:href|src)="(/page/[^"]+)"', answer.text)
    assert "/page/grid.css" in named
    assert [httpx2.get(served.url + name).status_code for name in named] == [200] * len(named)
    types = {name: httpx2.get(f"{served.url}/page/{name}").headers["content-type"] for name in pages.files()}
    assert types["page.js"] == types["grid.js"] == "text/javascript; charset=utf-8"
    assert types["page.css"] == "text/css; charset=utf-8"
    assert types["icon.svg"] == "image/svg+xml"
    assert sum(len(body) for body, _ in pages.files().values()) < 150_000


def test_a_file_that_is_known_is_not_sent_again(served: Running) -> None:
    """With the ETag of what a browser has, the answer is 304 and empty; with another it is the file."""
    first = httpx2.get(f"{served.url}/page/page.css")
    assert first.headers["cache-control"] == "no-cache"
    again = httpx2.get(f"{served.url}/page/page.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = httpx2.get(f"{served.url}/page/page.css", headers={"If-None-Match": '"another"'})
    assert other.content == first.content


@pytest.mark.parametrize("name", ["none.js", "__init__.py", "..%2F__init__.py", "forms.css", "%2e%2e/app.py"])
def test_no_other_file_is_given_out(served: Running, name: str) -> None:
    """What is none of the page's files is a 404 like any other."""
    answer = httpx2.get(f"{served.url}/page/{name}")
    assert answer.status_code == 404
    assert isinstance(answer.json()["detail"], str)


def test_nothing_in_it_needs_more_than_own_scripts() -> None:
    """There is no script or style in the markup, and no script makes markup of a text."""
    html = pages.files()["index.html"][0].decode()
    assert INLINE.findall(html) == []
    scripts = {name: body.decode() for name, (body, _) in pages.files().items() if name.endswith(".js")}
    assert len(scripts) > 5
    found = [(name, word) for name, text in scripts.items() for word in MARKUP if word in text]
    assert found == []
