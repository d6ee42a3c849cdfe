"""Separate model servers answer, speaking the Open Inference Protocol."""

import json
from collections.abc import Mapping
from typing import Any

from models_hub.models import Deployment
from predictions.architectures.following import Following
from predictions.architectures.published import public_key
from predictions.snippets import Snippet, example_row

SERVER = "http://localhost:8080"
_NUMPY = {"BYTES": "object", "BOOL": "bool", "INT64": "int64", "FP64": "float64"}


class Dedicated(Following):
    name = "dedicated"
    title = "Dedicated model API"
    summary = "Model servers of their own, scaled on their own, speak the Open Inference Protocol."
    kind = "server"
    nobody = "No model server has reported yet: start one with “berth serve”, as shown below."
    off = "Model servers do not answer for it."

    def usage(self, deployment: Deployment, address: str) -> list[Snippet]:
        model = deployment.model
        signature = model.live.signature if model.live else None
        tensors = _tensors(signature)
        start = (
            "# In a checkout of Berth; the token is a key with the scope “serve”.\n"
            'pip install "./runtime[server]"\n'
            f"berth serve --feed {address} --token $BERTH_KEY \\\n"
            f"  --public-key {public_key()} \\\n"
            "  --folder models --port 8080"
        )
        return [
            Snippet("Start a server", start),
            Snippet("curl", _curl(model.slug, tensors)),
            Snippet("tritonclient", _triton(model.slug, tensors)),
        ]


def _tensors(signature: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The protocol's inputs for one row: one tensor for each column."""
    row = example_row(signature)
    return [
        {
            "name": field["name"],
            "datatype": _datatype(field),
            "shape": [1],
            "data": [row[field["name"]]],
        }
        for field in (signature or {}).get("inputs", [])
    ]


def _datatype(field: Mapping[str, Any]) -> str:
    """As the server describes the column (berth.server.datatypes)."""
    if field["type"] in ("string", "boolean"):
        return "BYTES" if field["type"] == "string" else "BOOL"
    return "INT64" if field["type"] == "integer" and not field.get("nullable") else "FP64"


def _curl(slug: str, tensors: list[dict[str, Any]]) -> str:
    body = json.dumps({"inputs": tensors}, ensure_ascii=False).replace("'", "'\\''")
    return (
        f"curl {SERVER}/v2/models/{slug}/infer \\\n"
        '  -H "Authorization: Bearer $BERTH_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{body}'"
    )


def _triton(slug: str, tensors: list[dict[str, Any]]) -> str:
    lines = [
        "# pip install tritonclient[http]",
        "import os",
        "",
        "import numpy as np",
        "import tritonclient.http as triton",
        "",
        f'client = triton.InferenceServerClient("{SERVER.removeprefix("http://")}")',
        "columns = [",
        *(f"    {tensor!r}," for tensor in tensors),
        "]",
        f"types = {_NUMPY!r}",
        "inputs = []",
        "for column in columns:",
        '    tensor = triton.InferInput(column["name"], column["shape"], column["datatype"])',
        '    tensor.set_data_from_numpy(np.array(column["data"], types[column["datatype"]]))',
        "    inputs.append(tensor)",
        'headers = {"Authorization": "Bearer " + os.environ["BERTH_KEY"]}',
        f"answer = client.infer({json.dumps(slug)}, inputs, headers=headers)",
        'print(answer.as_numpy(answer.get_response()["outputs"][0]["name"]))',
    ]
    return "\n".join(lines)
