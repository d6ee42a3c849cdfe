"""KServe's own client, over REST.

    python kserve_rest.py http://HOST:PORT sk_…

Prints what came back as JSON. Run by the interpreter of `.venv-clients`.
"""

import asyncio
import json
import sys

import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig


def request(binary: bool) -> InferRequest:
    columns = {
        "experience": ("FP64", np.array([3.0, 21.5])),
        "education": ("INT64", np.array([12, 16])),
        "region": ("BYTES", np.array(["east", "north"], dtype=object)),
    }
    inputs = []
    for name, (datatype, values) in columns.items():
        tensor = InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    return InferRequest(model_name="pay", infer_inputs=inputs, request_id="mine")


async def main(address: str, key: str) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    headers = {"Authorization": f"Bearer {key}"}
    told = {
        "live": await client.is_server_live(address),
        "ready": await client.is_server_ready(address),
        "model_ready": await client.is_model_ready(address, "pay", headers=headers),
    }
    for name, binary in {"json": False, "binary": True}.items():
        answer = await client.infer(address, request(binary), headers=headers, model_name="pay")
        told[name] = answer.outputs[0].as_numpy().tolist()
        told["id"] = answer.id
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
