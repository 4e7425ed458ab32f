"""KServe's own REST client asks this service, unmodified: `python kserve_client.py URL MODEL COLUMNS`.

It wants an environment of its own, `pip install kserve`: it asks for a psutil older than the service's.
"""

import asyncio
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def ask(url: str, model: str, columns: int) -> None:
    """Probes, then one prediction as JSON and one as binary tensors, which must agree."""
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    ready = await client.is_server_live(url), await client.is_server_ready(url), await client.is_model_ready(url, model)
    print("server live, server ready, model ready:", *ready)
    rows, answers = np.ones((2, columns)), []
    for binary in (False, True):
        tensor = InferInput("inputs", list(rows.shape), "FP64")
        tensor.set_data_from_numpy(rows, binary_data=binary)
        answer = await client.infer(url, InferRequest(model, [tensor], request_id="q"), model_name=model)
        answers.append(answer.outputs[0].as_numpy())
    print("prediction:", answers[0].tolist())
    assert answer.id == "q"
    assert np.array_equal(*answers)


asyncio.run(ask(sys.argv[1], sys.argv[2], int(sys.argv[3])))
