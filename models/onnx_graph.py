"""ONNX graphs written node by node, without tracing: the graph is the formula of the hypothesis."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from models.errors import InvalidData

OPSET = 17
ML_OPSET = 3
_ML_DOMAIN = "ai.onnx.ml"
IR_VERSION = 8
"""Old enough for every runtime in use; nothing newer is needed by the operators here."""

LARGEST_GRAPH_BYTES = 2**31 - 2**20
"""A protobuf message ends at 2 GiB."""

_ELEMENT_TYPES = {torch.float32: TensorProto.FLOAT, torch.float64: TensorProto.DOUBLE}


class OnnxGraph:
    """A graph under construction. Values are strings; `apply` appends a node and names its output.

    `dtype` is torch.float32 or torch.float64, that of inputs and outputs; constants are converted to it.
    """

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        """An empty graph. Raises KeyError for any other `dtype`."""
        self.dtype = dtype
        self._tensor_type = _ELEMENT_TYPES[dtype]
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._names: set[str] = set()
        self._domains = {"": OPSET}
        self._bytes = 0

    def _fresh(self, name: str) -> str:
        chosen, count = name, 1
        while chosen in self._names:
            count += 1
            chosen = f"{name}_{count}"
        self._names.add(chosen)
        return chosen

    def input(self, name: str) -> str:
        """Reserve `name` for the input, so that no inner value takes it."""
        return self._fresh(name)

    def constant(self, name: str, values: Tensor | float) -> str:
        """An initializer of `values`; the returned name is `name`, numbered where it is taken.

        Raises:
            InvalidData: the graph would not fit a protobuf message (2 GiB).
        """
        array = torch.as_tensor(values, dtype=self.dtype).detach().cpu().contiguous().numpy()
        self._bytes += array.nbytes
        if self._bytes > LARGEST_GRAPH_BYTES:
            raise InvalidData("The model is too large for one ONNX file (2 GiB); use a smaller width.")
        chosen = self._fresh(name)
        self._initializers.append(numpy_helper.from_array(array, chosen))
        return chosen

    def integers(self, name: str, values: Sequence[int]) -> str:
        """An int64 initializer (axes, shapes, exponents of indices)."""
        chosen = self._fresh(name)
        self._initializers.append(helper.make_tensor(chosen, TensorProto.INT64, [len(values)], list(values)))
        return chosen

    def apply(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append one node of the operator set `ai.onnx`; the fresh name of its output."""
        output = self._fresh(operator.lower())
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def cast_to_number(self, value: str) -> str:
        """Truth values as 0 and 1, or numbers, in the precision that is computed in."""
        return self.apply("Cast", value, to=_ELEMENT_TYPES[self.dtype])

    @contextmanager
    def computing_in(self, dtype: torch.dtype) -> Iterator[None]:
        """Within it constants and casts are of `dtype`; the tensors that the graph takes and gives are not."""
        outside, self.dtype = self.dtype, dtype
        try:
            yield
        finally:
            self.dtype = outside

    def text_codes(self, texts: str, keys: Sequence[str]) -> str:
        """int64: the place of each text among `keys`, -1 for any other."""
        output = self._fresh("codes")
        codes = list(range(len(keys)))
        self._nodes.append(
            helper.make_node(
                "LabelEncoder", [texts], [output], domain=_ML_DOMAIN,
                keys_strings=list(keys), values_int64s=codes, default_int64=-1,
            )
        )  # fmt: skip
        self._domains[_ML_DOMAIN] = ML_OPSET
        return output

    def affine(self, inputs: str, weights: Tensor, biases: Tensor | None, name: str) -> str:
        """inputs @ weights^T + biases, for weights (m, d) and biases (m,)."""
        product = self.apply("MatMul", inputs, self.constant(f"{name}_weights", weights.T))
        return product if biases is None else self.apply("Add", product, self.constant(f"{name}_biases", biases))

    def finish(
        self,
        inputs: Mapping[str, int],
        output_name: str,
        output_columns: int,
        value: str,
        properties: Mapping[str, str] | None = None,
        texts: Collection[str] = (),
    ) -> bytes:
        """The serialised model: tensors [N, columns] by name -> `output_name` [N, output_columns], which is `value`.

        `texts` names the inputs that are tensors of strings. `properties`: the model's metadata, for whoever meets the
        file alone.

        Raises:
            onnx.checker.ValidationError: the graph is not valid ONNX.
        """
        self._nodes.append(helper.make_node("Identity", [value], [self._fresh(output_name)]))
        graph = helper.make_graph(
            self._nodes,
            "hypothesis",
            [
                helper.make_tensor_value_info(
                    name, TensorProto.STRING if name in texts else self._tensor_type, ["N", columns]
                )
                for name, columns in inputs.items()
            ],
            [helper.make_tensor_value_info(output_name, self._tensor_type, ["N", output_columns])],
            self._initializers,
        )
        model = helper.make_model(
            graph,
            producer_name="riskscope",
            opset_imports=[helper.make_opsetid(domain, opset) for domain, opset in self._domains.items()],
            ir_version=IR_VERSION,
        )
        helper.set_model_props(model, dict(properties or {}))
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)
