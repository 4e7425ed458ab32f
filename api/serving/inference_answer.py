"""Open Inference Protocol answers: JSON, or a JSON header and the raw little-endian tensor."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from api.errors import Malformed
from api.serving.inference_request import DATATYPES, TEXT_DATATYPE, InferenceRequest
from api.serving.rows import check_finite_predictions
from api.serving.sessions import OUTPUT, ServedModel
from api.serving.table_answers import level_text

HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class InferenceAnswer:
    """The bytes of an answer and the headers that explain them."""

    body: bytes
    media_type: str
    headers: dict[str, str]


def write_answer(request: InferenceRequest, model: ServedModel, predictions: NDArray[np.float64]) -> InferenceAnswer:
    """`predictions` [N, k] in the datatype of the request, with the model's certificate as parameters.

    Where the request asked for n classes: texts [N, n] "value:index:label", the largest outputs first, the label being
    the class, or the name of the output where the model is no classification.

    Raises:
        Malformed: a prediction is not finite, or not in that datatype.
    """
    with np.errstate(over="ignore"):
        values = predictions.astype(DATATYPES[request.datatype], copy=False)
    check_finite_predictions(values, Malformed)
    document: dict[str, Any] = {"model_name": model.name, "model_version": str(model.version)}
    if request.id is not None:
        document["id"] = request.id
    if model.certificate is not None:
        document["parameters"] = model.certificate
    if request.classes is None:
        tensor: dict[str, Any] = {"name": OUTPUT, "datatype": request.datatype, "shape": list(values.shape)}
        flat: Any
        flat, raw = values.reshape(-1), values.tobytes() if request.binary else b""
    else:
        texts = _classes(values, model, request.classes)
        tensor = {"name": OUTPUT, "datatype": TEXT_DATATYPE, "shape": [len(texts), len(texts[0])]}
        flat = [text for row in texts for text in row]
        raw = b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in flat)
    document["outputs"] = [tensor]
    if request.binary:
        tensor["parameters"] = {"binary_data_size": len(raw)}
        header = orjson.dumps(document)
        return InferenceAnswer(header + raw, "application/octet-stream", {HEADER_LENGTH: str(len(header))})
    tensor["data"] = flat
    return InferenceAnswer(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), "application/json", {})


def _classes(values: NDArray[Any], model: ServedModel, wanted: int) -> list[list[str]]:
    labels = model.output_names if model.classes is None else tuple(level_text(level) for level in model.classes)
    # Stable: of equal outputs the first one wins, as in the native answer.
    places = np.argsort(-values, axis=1, kind="stable")[:, :wanted]
    return [
        [f"{values[row, place]}:{place}:{labels[place]}" for place in chosen]
        for row, chosen in enumerate(places.tolist())
    ]
