"""Triton's own client with its defaults: binary tensors both ways.

    python triton.py HOST:PORT sk_…

Prints what came back as JSON. Run by the interpreter of `.venv-clients`.
"""

import json
import sys
from typing import Any

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

COLUMNS = {
    "experience": ("FP64", np.array([3.0, 21.5])),
    "education": ("INT64", np.array([12, 16])),
    "region": ("BYTES", np.array([b"east", b"north"], dtype=object)),
}


def inputs(columns: Any = COLUMNS, binary: bool = True) -> list[Any]:
    made = []
    for name, (datatype, values) in columns.items():
        tensor = triton.InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        made.append(tensor)
    return made


def main(address: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}  # the client adds to what it is given
    client = triton.InferenceServerClient(address)
    told = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "extensions": client.get_server_metadata()["extensions"],
        "model_ready": client.is_model_ready("pay", headers=dict(headers)),
        "version_ready": client.is_model_ready("pay", "1", headers=dict(headers)),
        "inputs": [
            i["name"] for i in client.get_model_metadata("pay", headers=dict(headers))["inputs"]
        ],
    }
    answer = client.infer("pay", inputs(), headers=dict(headers), request_id="mine")
    told["id"] = answer.get_response()["id"]
    told["wage"] = answer.as_numpy("wage").tolist()
    version = client.infer("pay", inputs(), model_version="1", headers=dict(headers))
    told["versioned"] = version.as_numpy("wage").tolist()
    for name in ("gzip", "deflate"):
        packed = client.infer(
            "pay",
            inputs(),
            headers=dict(headers),
            request_compression_algorithm=name,
            response_compression_algorithm=name,
        )
        told[name] = packed.as_numpy("wage").tolist()
    single = {**COLUMNS, "experience": ("FP32", COLUMNS["experience"][1].astype("f4"))}
    told["float32"] = (
        client.infer("pay", inputs(single), headers=dict(headers)).as_numpy("wage").tolist()
    )
    plain = [triton.InferRequestedOutput("wage", binary_data=False)]
    as_json = client.infer("pay", inputs(binary=False), outputs=plain, headers=dict(headers))
    told["json"] = as_json.as_numpy("wage").tolist()
    grades = client.infer("grade", inputs(), headers=dict(headers))
    told["grade"] = [label.decode() for label in grades.as_numpy("grade")]
    told["probabilities"] = grades.as_numpy("probabilities").tolist()
    try:
        client.infer("none", inputs(), headers=dict(headers))
    except InferenceServerException as error:
        told["refusal"] = [error.status(), error.message()]
    print(json.dumps(told))


main(*sys.argv[1:])
