"""FastAPI and onnxruntime as their own first pages show them, with nothing tuned.

One pydantic model a row, columns built by numpy, a plain ``def``, a session with its defaults, a
dict for an answer; served by uvicorn. No authentication, no limits, no journal, no check against
a signature.
"""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

session = onnxruntime.InferenceSession(os.environ["BENCHMARK_MODEL"])
app = FastAPI()


class Row(BaseModel):
    education: float | None
    experience: float | None
    role: str
    department: str
    city: str


class Rows(BaseModel):
    instances: list[Row]


@app.post("/predict")
def predict(rows: Rows):  # type: ignore[no-untyped-def]  # as one writes it
    people = rows.instances
    feeds = {
        "education": np.array([[row.education] for row in people], dtype=np.float64),
        "experience": np.array([[row.experience] for row in people], dtype=np.float64),
        "role": np.array([[row.role] for row in people], dtype=object),
        "department": np.array([[row.department] for row in people], dtype=object),
        "city": np.array([[row.city] for row in people], dtype=object),
    }
    (predictions,) = session.run(["prediction"], feeds)
    return {"predictions": predictions.ravel().tolist()}
