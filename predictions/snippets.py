"""Calls to copy: the very request, in curl, Python and JavaScript."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code to copy, with the real address filled in."""

    language: str
    code: str


_TYPICAL = {"number": 1.0, "integer": 1, "string": "text", "boolean": True}


def example_row(signature: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row that the model takes: defaults, first choices, the middle of ranges."""
    return {field["name"]: _example(field) for field in (signature or {}).get("inputs", [])}


def _example(field: Mapping[str, Any]) -> Any:
    if (default := field.get("default")) is not None:
        return _plain(default, field["type"])
    if field.get("choices"):
        return field["choices"][0]
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        middle = (low + high) / 2
        return round(middle) if field["type"] == "integer" else round(middle, 2)
    return _TYPICAL[field["type"]]


def _plain(value: Any, kind: str) -> Any:
    """A default that is some column's mean as a person would write it."""
    if isinstance(value, bool) or not isinstance(value, float):
        return value
    return round(value) if kind == "integer" else float(f"{value:.4g}")


def predict_snippets(address: str, slug: str, body: Mapping[str, Any]) -> list[Snippet]:
    """The call of a live prediction with this body. The key comes from the environment."""
    url = f"{address}/api/v1/models/{slug}/predict"
    compact = json.dumps(body, ensure_ascii=False)
    pretty = json.dumps(body, ensure_ascii=False, indent=2)
    quoted = compact.replace("'", "'\\''")
    curl = (
        f"curl {url} \\\n"
        '  -H "Authorization: Bearer $BERTH_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{quoted}'"
    )
    python = (
        "import json, os, urllib.request\n\n"
        f"body = json.loads({json.dumps(compact)})\n"
        "request = urllib.request.Request(\n"
        f"    {json.dumps(url)},\n"
        "    data=json.dumps(body).encode(),\n"
        "    headers={\n"
        '        "Authorization": "Bearer " + os.environ["BERTH_KEY"],\n'
        '        "Content-Type": "application/json",\n'
        "    },\n)\n"
        "print(json.load(urllib.request.urlopen(request)))"
    )
    javascript = (
        "// On your server: a secret key must never reach a browser.\n"
        f"const answer = await fetch({json.dumps(url)}, {{\n"
        '  method: "POST",\n'
        "  headers: {\n"
        "    Authorization: `Bearer ${process.env.BERTH_KEY}`,\n"
        '    "Content-Type": "application/json",\n'
        "  },\n"
        f"  body: JSON.stringify({pretty}),\n"
        "});\n"
        "console.log(await answer.json());"
    )
    return [Snippet("curl", curl), Snippet("Python", python), Snippet("JavaScript", javascript)]
