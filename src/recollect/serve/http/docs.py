"""`/docs`: the OpenAPI document as one page of plain HTML, which loads nothing from elsewhere and needs no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

Schema = Mapping[str, Any]

_REF = "#/components/schemas/"


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(render(request.app.openapi(), str(request.base_url).rstrip("/")))

    return router


def render(document: Schema, server: str) -> str:
    """An OpenAPI document as HTML. `server`: the address that the examples are sent to."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = document["components"]["schemas"]
    needed = _schemas_of([operation for *_, operation in operations], schemas)
    contents = "".join(
        f'<li><a href="#{_anchor(method, path)}">{_method(method)} <code>{escape(path)}</code></a>'
        f" {_text(_first_sentence(operation))}</li>"
        for method, path, operation in operations
    )
    sections = "".join(_operation(*one, document, server) for one in operations)
    types = "".join(
        f'<section id="{name}"><h3><code>{name}</code></h3>{_schema(schemas[name])}</section>' for name in needed
    )
    info = document["info"]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(info["title"])}: HTTP interface</title>
<link rel="icon" href="page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page/colours.css">
<link rel="stylesheet" href="page/docs.css">
</head>
<body>
<header>
<h1><img src="page/icon.svg" alt="" width="28" height="28"> {escape(info["title"])}: HTTP interface</h1>
<p>Version {escape(info["version"])}. {_text(info.get("summary", ""))} <a href="./">The page</a> uses it;
<a href="openapi.json">openapi.json</a> is the same for programs.</p>
</header>
<nav aria-label="Requests"><ul>{contents}</ul></nav>
<main>
{sections}
<h2 id="types">Types</h2>
{types}
</main>
</body>
</html>
"""


def _operation(method: str, path: str, operation: Schema, document: Schema, server: str) -> str:
    parts = [
        f'<section id="{_anchor(method, path)}"><h2>{_method(method)} <code>{escape(path)}</code></h2>',
        f"<p>{_text(operation.get('description', ''))}</p>",
    ]
    if operation.get("security"):
        parts.append(
            '<p class="note">Needs a key where the server has keys: <code>Authorization: Bearer KEY</code>.</p>'
        )
    if parameters := operation.get("parameters"):
        rows = [
            (one["name"], {**one["schema"], "description": one.get("description", "")}, one.get("required", False))
            for one in parameters
        ]
        parts.append(f"<h3>Parameters</h3>{_table(rows)}")
    bodies = _bodies(operation)
    if bodies:
        parts.append(f"<h3>Body</h3><p>{' or '.join(map(_type, bodies))}, as JSON.</p>")
    examples = [*_examples(method, path, operation, bodies, document, server)]
    if examples:
        parts.append("<h3>Example</h3>" + "".join(f"<pre>{escape(one)}</pre>" for one in examples))
    rows_of_responses = "".join(
        f"<tr><td><code>{status}</code></td><td>{_text(one.get('description', ''))}</td><td>{_content(one)}</td></tr>"
        for status, one in operation["responses"].items()
    )
    head = _head("Status", "Meaning", "Content")
    parts.append(f"<h3>Responses</h3><table class='statuses'>{head}{rows_of_responses}</table></section>")
    return "".join(parts)


def _schema(schema: Schema) -> str:
    required = schema.get("required", [])
    rows = [(name, one, name in required) for name, one in schema.get("properties", {}).items()]
    return f"<p>{_text(schema.get('description', ''))}</p>{_table(rows)}"


def _table(rows: Sequence[tuple[str, Schema, bool]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(one)}</td><td>{_default(one, required)}</td>"
        f"<td>{'Deprecated. ' if one.get('deprecated') else ''}{_text(one.get('description', ''))}</td></tr>"
        for name, one, required in rows
    )
    return f"<table>{_head('Name', 'Type', 'Default', 'Meaning')}{cells}</table>"


def _head(*names: str) -> str:
    return "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr>"


def _type(schema: Schema) -> str:
    """A schema in words."""
    if ref := schema.get("$ref"):
        name = ref.removeprefix(_REF)
        return f'<a href="#{name}">{name}</a>'
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, several)))
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(one))}</code>" for one in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        most = f", at most {schema['maxItems']:,}" if "maxItems" in schema else ""
        return f"list of {_type(schema.get('items', {}))}{most}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 1 << 32:
        return f"{kind} from {low:,.0f} to {high:,.0f}"
    return escape(str(kind))


def _default(schema: Schema, required: bool) -> str:
    if required:
        return "required"
    return f"<code>{escape(json.dumps(schema['default']))}</code>" if "default" in schema else ""


def _content(response: Schema) -> str:
    return " or ".join(_type(one.get("schema", {})) for one in response.get("content", {}).values())


def _bodies(operation: Schema) -> list[Schema]:
    """The schemas that the body may have."""
    content = operation.get("requestBody", {}).get("content", {})
    return [one for kind in content.values() for one in kind["schema"].get("oneOf", [kind["schema"]])]


def _examples(
    method: str, path: str, operation: Schema, bodies: list[Schema], document: Schema, server: str
) -> Iterator[str]:
    """Commands to try, from the examples of the document."""
    key = " \\\n    -H 'Authorization: Bearer KEY'" if operation.get("security") else ""
    verb = "" if method in ("GET", "POST") else f" -X {method}"
    for body in bodies:
        for example in document["components"]["schemas"][body["$ref"].removeprefix(_REF)].get("examples", ()):
            data = json.dumps(example, ensure_ascii=False)
            yield f"curl{verb} {server}{path}{key} \\\n    -H 'Content-Type: application/json' -d '{data}'"
    if not bodies:
        query = []
        for one in operation.get("parameters", ()):
            for value in one["schema"].get("examples", ())[:1]:
                if one["in"] == "path":
                    path = path.replace(f"{{{one['name']}}}", str(value))
                else:
                    query.append(f"{one['name']}={value}")
        yield f"curl{verb} '{server}{path}{'?' + '&'.join(query) if query else ''}'{key}"


def _schemas_of(operations: list[Schema], schemas: Schema) -> list[str]:
    """The names of all schemas that the operations use, in the order in which they do."""
    found: dict[str, None] = {}
    waiting = [json.dumps(operations)]
    while waiting:
        for name in re.findall(rf'"{_REF}(\w+)"', waiting.pop(0)):
            if name not in found:
                found[name] = None
                waiting.append(json.dumps(schemas[name]))
    return list(found)


def _first_sentence(operation: Schema) -> str:
    return str(operation.get("description", "")).partition(". ")[0].rstrip(".") + "."


def _method(method: str) -> str:
    return f'<span class="method {method.lower()}">{method}</span>'


def _anchor(method: str, path: str) -> str:
    return f"{method.lower()}-{re.sub(r'[^a-z]+', '-', path).strip('-')}"


def _text(text: str) -> str:
    """Prose with `code` in it."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(" ".join(text.split())))
