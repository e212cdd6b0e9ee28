"""A page for people of the OpenAPI document: one file of HTML, without scripts, which the gateway serves at /docs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #667; }
@media (prefers-color-scheme: dark) { :root { --quiet: #99a; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
nav ul { columns: 20rem; padding-left: 1.2rem; } h2 { border-bottom: 1px solid var(--line); margin-top: 3rem; }
h3 { margin: 2.5rem 0 .3rem; } h3 code, td code { font-size: .95em; }
.verb { display: inline-block; min-width: 3.4rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; } caption { text-align: left; font-weight: 600; }
th, td { text-align: left; vertical-align: top; border-top: 1px solid var(--line); padding: .3rem .6rem .3rem 0; }
pre { overflow-x: auto; } .quiet { color: var(--quiet); } details { margin: .5rem 0; } summary { cursor: pointer; }
"""
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lyceum: the API</title><style>{style}</style></head><body>
<h1>Lyceum: the API</h1>
<p>{about}</p>
<p>Machines read <a href="/openapi.yaml">/openapi.yaml</a> (OpenAPI {version}). An access token of
<code>POST /v1/sessions</code> goes into <code>authorization: Bearer …</code>. Each answer has
<code>x-request-id</code>: tell it when you ask for help.</p>
"""
_TICKS = re.compile(r"`([^`]*)`")


def page(document: Mapping[str, Any]) -> str:
    """The page of a whole OpenAPI document."""
    parts = [
        HEAD.format(style=STYLE, about=_text(document["info"]["description"]), version=document["openapi"]),
        *_contents(document),
        *_operations(document),
        "<h2 id='types'>Types</h2>",
        *(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _each(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """tag, verb, path, operation; by tag, in the order of paths."""
    for tag in sorted({operation["tags"][0] for item in document["paths"].values() for operation in item.values()}):
        for path, item in document["paths"].items():
            for verb, operation in item.items():
                if operation["tags"][0] == tag:
                    yield tag, verb.upper(), path, operation


def _contents(document: Mapping[str, Any]) -> Iterator[str]:
    last = ""
    yield "<nav aria-label='Methods'>"
    for tag, verb, path, operation in _each(document):
        if tag != last:
            yield f"{'</ul>' if last else ''}<h2>{_service(tag)}</h2><ul>"
            last = tag
        yield f"<li><a href='#{operation['operationId']}'><code>{verb} {html.escape(path)}</code></a></li>"
    yield "</ul></nav>"


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    last = ""
    for tag, verb, path, operation in _each(document):
        if tag != last:
            yield f"<h2>{_service(tag)}: methods</h2>"
            last = tag
        name = f"<code><span class='verb'>{verb}</span> {html.escape(path)}</code>"
        yield f"<h3 id='{operation['operationId']}'>{name}</h3>"
        yield f"<p>{_text(operation.get('description', ''))} <span class='quiet'>{_token(operation)}</span></p>"
        if operation.get("parameters"):
            yield _rows("Parameters", [_parameter(one) for one in operation["parameters"]])
        if "requestBody" in operation:
            yield f"<p>Body: {_body(operation['requestBody'])}</p>"
            yield from _example("An example of it", operation["requestBody"])
        yield _rows("Answers", [_answer(status, said) for status, said in operation["responses"].items()])
        yield from _example("An example of 200", operation["responses"].get("200", {}))


def _example(title: str, part: Mapping[str, Any]) -> Iterator[str]:
    """A part that opens, where there is an example that says something."""
    found = next((one["example"] for one in part.get("content", {}).values() if one.get("example")), None)
    if found:
        told = html.escape(json.dumps(found, ensure_ascii=False, indent=2))
        yield f"<details><summary>{title}</summary><pre><code>{told}</code></pre></details>"


def _service(tag: str) -> str:
    return html.escape(tag.removesuffix("Service").lower())


def _token(operation: Mapping[str, Any]) -> str:
    ways = operation.get("security", [])
    if not ways:
        return "Open to all."
    return "With or without a token." if {} in ways else "Needs an access token."


def _parameter(one: Mapping[str, Any]) -> tuple[str, str, str]:
    where = f"{one['in']}{', required' if one.get('required') else ''}"
    return (
        f"<code>{html.escape(one['name'])}</code>",
        f"{_kind(one['schema'])} <span class='quiet'>{where}</span>",
        _text(one.get("description", "")),
    )


def _body(body: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"<code>{html.escape(kind)}</code>" for kind in body["content"])
    schema = next(iter(body["content"].values()))["schema"]
    return f"{_kind(schema)} as {kinds}. {_text(body.get('description', ''))}"


def _answer(status: str, said: Mapping[str, Any]) -> tuple[str, str, str]:
    if "$ref" in said:
        return f"<code>{status}</code>", _link("google.rpc.Status"), html.escape(said["$ref"].rpartition("/")[2])
    content = said.get("content", {})
    kind = _kind(next(iter(content.values()))["schema"]) if content else ""
    return f"<code>{status}</code>", kind, _text(said.get("description", ""))


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    told = f"<h3 id='{name}'><code>{html.escape(name)}</code></h3><p>{_text(schema.get('description', ''))}</p>"
    fields = [
        (f"<code>{html.escape(field)}</code>", _kind(one), _text(one.get("description", "")))
        for field, one in schema.get("properties", {}).items()
    ]
    return told + (_rows("", fields) if fields else "")


def _kind(schema: Mapping[str, Any]) -> str:
    """The type of a value in a few words, linked where it is one of ours."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "allOf" in schema:
        return _kind(schema["allOf"][0])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if "enum" in schema:
        return " or ".join(f"<code>{html.escape(str(one))}</code>" for one in schema["enum"])
    words = [str(schema.get("type", "anything")), *([f"({schema['format']})"] if "format" in schema else [])]
    return html.escape(" ".join(words))


def _link(name: str) -> str:
    return f"<a href='#{html.escape(name)}'>{html.escape(name.rpartition('.')[2])}</a>"


def _rows(caption: str, rows: list[tuple[str, str, str]]) -> str:
    head = f"<caption>{caption}</caption>" if caption else ""
    cells = "".join(f"<tr><th scope='row'>{one}</th><td>{two}</td><td>{three}</td></tr>" for one, two, three in rows)
    return f"<table>{head}<tbody>{cells}</tbody></table>"


def _text(said: str) -> str:
    """Words between backticks as code; everything else as it is."""
    return _TICKS.sub(r"<code>\1</code>", html.escape(said, quote=False))
