"""The page of the API names every method and type of the document, and nothing in it can run."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from lyceum_generate.openapi_page import page

GATEWAY = Path(__file__).parents[3] / "deploy/gateway"
DOCUMENT: dict[str, Any] = yaml.safe_load((GATEWAY / "openapi.yaml").read_text(encoding="utf-8"))
MOST_BYTES = 1_048_576
"""What the gateway serves from a file (`max_direct_response_body_size_bytes`)."""
EMPTY = {"meta", "br", "hr"}


class Read(HTMLParser):
    """What a page holds; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.add(tag)
        assert not [name for name in told if name.startswith("on") or name == "style"]
        self.ids += [told["id"] or ""] if "id" in told else []
        self.links += [told["href"] or ""] if "href" in told else []
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def shown() -> Read:
    return Read((GATEWAY / "api.html").read_text(encoding="utf-8"))


def test_the_page_is_that_of_the_document() -> None:
    text = (GATEWAY / "api.html").read_text(encoding="utf-8")
    assert text == page(DOCUMENT), "run `make generate`"
    assert len(text.encode()) < MOST_BYTES


def test_every_method_and_type_is_there_once(shown: Read) -> None:
    methods = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(methods) > 60 and set(methods) | set(DOCUMENT["components"]["schemas"]) <= set(shown.ids)
    assert len(shown.ids) == len(set(shown.ids))
    said = " ".join(shown.words)
    assert all(path in said for path in DOCUMENT["paths"])


def test_every_link_leads_somewhere(shown: Read) -> None:
    assert {link[1:] for link in shown.links if link.startswith("#")} <= set(shown.ids)
    assert {link for link in shown.links if not link.startswith("#")} == {"/openapi.yaml"}


def test_nothing_of_it_runs_or_is_fetched(shown: Read) -> None:
    assert not shown.tags & {"script", "img", "iframe", "link", "object", "form"}


def test_what_descriptions_say_is_text() -> None:
    operation = {"tags": ["AService"], "operationId": "A", "description": "<b>x</b> `a<b`", "responses": {}}
    told = page(
        {
            "openapi": "3.1.0",
            "info": {"description": "<script>"},
            "paths": {"/a": {"get": operation}},
            "components": {"schemas": {}},
        }
    )
    assert "<script" not in told and "&lt;b&gt;x&lt;/b&gt; <code>a&lt;b</code>" in told
