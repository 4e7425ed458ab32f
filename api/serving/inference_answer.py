"""Open Inference Protocol answers: JSON, or a JSON header and the raw little-endian tensor."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from api.errors import Malformed
from api.serving.inference_request import DATATYPES, InferenceRequest
from api.serving.rows import check_finite_predictions
from api.serving.sessions import OUTPUT, ServedModel

HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class InferenceAnswer:
    """The bytes of an answer and the headers that explain them."""

    body: bytes
    media_type: str
    headers: dict[str, str]


def write_answer(request: InferenceRequest, model: ServedModel, predictions: NDArray[np.float64]) -> InferenceAnswer:
    """`predictions` [N, k] in the datatype of the request, with the model's certificate as parameters.

    Raises:
        Malformed: a prediction is not finite, or not in that datatype.
    """
    with np.errstate(over="ignore"):
        values = predictions.astype(DATATYPES[request.datatype])
    check_finite_predictions(values, Malformed)
    tensor: dict[str, Any] = {"name": OUTPUT, "datatype": request.datatype, "shape": list(values.shape)}
    if request.binary:
        tensor["parameters"] = {"binary_data_size": values.nbytes}
    else:
        tensor["data"] = values.reshape(-1)
    document: dict[str, Any] = {"model_name": model.name, "model_version": str(model.version), "outputs": [tensor]}
    if request.id is not None:
        document["id"] = request.id
    if model.certificate is not None:
        document["parameters"] = model.certificate
    header = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if request.binary:
        headers = {HEADER_LENGTH: str(len(header))}
        return InferenceAnswer(header + values.tobytes(), "application/octet-stream", headers)
    return InferenceAnswer(header, "application/json", {})
