"""The route that one writes first: FastAPI, a pydantic body, onnxruntime. Arguments: graph file, port."""

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Body(BaseModel):
    """Rows of numbers."""

    rows: list[list[float]]


class Answer(BaseModel):
    """One prediction a row."""

    predictions: list[list[float]]


@app.post("/predict")
async def predict(body: Body) -> Answer:
    """Predict."""
    (outputs,) = session.run(["outputs"], {"inputs": np.array(body.rows, dtype=np.float64)})
    return Answer(predictions=outputs.tolist())


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning")
