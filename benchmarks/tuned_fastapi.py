"""The plain FastAPI server with all the tuning that we know of.

One onnxruntime thread a process, no thread pool between the event loop and the model (``async
def``), a declared answer that pydantic writes; served by Granian with uvloop.
"""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCHMARK_MODEL"], options)
app = FastAPI()


class Row(BaseModel):
    education: float | None
    experience: float | None
    role: str
    department: str
    city: str


class Rows(BaseModel):
    instances: list[Row]


class Answer(BaseModel):
    predictions: list[float]


@app.post("/predict")
async def predict(rows: Rows) -> Answer:
    people = rows.instances
    feeds = {
        "education": np.array([[row.education] for row in people], dtype=np.float64),
        "experience": np.array([[row.experience] for row in people], dtype=np.float64),
        "role": np.array([[row.role] for row in people], dtype=object),
        "department": np.array([[row.department] for row in people], dtype=object),
        "city": np.array([[row.city] for row in people], dtype=object),
    }
    (predictions,) = session.run(["prediction"], feeds)
    return Answer(predictions=predictions.ravel().tolist())
