"""What every hypothesis space is: a map from parameters to functions R^d -> R^k."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch

from models.arrays import Features, Inputs, Outputs, Parameters
from models.kinds import Kind
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness


class HypothesisSpace(Kind, ABC):
    """H_m = { f(.; theta) }. A frozen specification; the parameters live outside it, by name.

    `trainable` names the parameters that a learner may move; the others are frozen at the draw.
    `linear` says that f is linear in its trainable parameters, so that the empirical minimiser has a closed form;
    `random`, that the draw uses its randomness; `depends_on_sample`, that the space is built on the training inputs;
    `contains_narrower`, that every function of a smaller width is one of a larger, whatever was drawn.
    """

    trainable: ClassVar[tuple[str, ...]]
    linear: ClassVar[bool] = False
    random: ClassVar[bool] = True
    depends_on_sample: ClassVar[bool] = False
    contains_narrower: ClassVar[bool] = False

    @abstractmethod
    def with_width(self, width: int) -> "HypothesisSpace":
        """The same space at another width m."""

    def check_dimension(self, input_dimension: int) -> str | None:
        """Why the space does not exist in this dimension, or None."""
        return None

    def for_sample(self, sample_size: int, standardised: bool) -> "HypothesisSpace":
        """The space once n is known, and whether its inputs are standardised; most spaces ask for neither.

        Raises:
            InvalidData: the space cannot be built on so many rows.
        """
        return self

    @abstractmethod
    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """Initial parameters on the CPU, from the streams of `randomness`."""

    def draw_on(self, inputs: Inputs, output_dimension: int, randomness: Randomness, dtype: torch.dtype) -> Parameters:
        """Initial parameters for a sample with these inputs, which only a space that depends on them looks at."""
        return self.draw(inputs.shape[1], output_dimension, randomness, dtype)

    @abstractmethod
    def evaluate(self, parameters: Parameters, inputs: Inputs) -> Outputs:
        """f(x_i; theta) for each row; differentiable in every trainable parameter."""

    @abstractmethod
    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """Append the nodes that compute f to `graph`; the name of the value that holds the outputs (n, k)."""

    @abstractmethod
    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """Numbers stored, frozen ones included."""

    def feature_count(self, input_dimension: int) -> int:
        """m, the coefficients of one output, in this dimension."""
        return self.parameter_count(input_dimension, 2) - self.parameter_count(input_dimension, 1)

    @abstractmethod
    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """Floating-point operations of one evaluation of one row; a training step costs about three of them."""


class LinearSpace(HypothesisSpace):
    """f(x) = phi(x) . a with frozen phi and trainable `coefficients` a of shape (m, k).

    `nested`: the features of a smaller width are the first of a larger one, up to one common factor.
    """

    trainable: ClassVar[tuple[str, ...]] = ("coefficients",)
    linear: ClassVar[bool] = True
    nested: ClassVar[bool] = True

    @property
    def features_vanish(self) -> bool:
        """Whether a feature is 0 on a part of the domain, so that a single row may see it, and barely.

        The coefficient is then that row's residual over v, v the feature there. Where v has a positive density at 0,
        as next to a kink, E v^-2 is infinite and with it E R(f~) of least squares without a penalty, at every n.
        """
        return False

    @abstractmethod
    def features(self, parameters: Parameters, inputs: Inputs) -> Features:
        """phi(x_i), scaled so that f = features @ coefficients."""

    def evaluate(self, parameters: Parameters, inputs: Inputs) -> Outputs:
        """f(x_i; a) = phi(x_i) . a."""
        return self.features(parameters, inputs) @ parameters["coefficients"]
