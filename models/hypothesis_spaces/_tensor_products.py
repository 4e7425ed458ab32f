"""What the classical spaces share: products of univariate functions on a box, and how a width becomes a resolution."""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from models.arrays import Features, Inputs, Parameters
from models.errors import InvalidData, refuse
from models.hypothesis_spaces.base import LinearSpace
from models.onnx_graph import OnnxGraph
from models.randomness import Randomness

MOST_FUNCTIONS = 65_536
DEFAULT_WIDTH = 100

Table = Float[Tensor, "n c"]
Width = Annotated[
    int | None,
    Field(ge=1, le=MOST_FUNCTIONS, description="Most basis functions: the finest resolution that they allow in d."),
]
Corner = Annotated[float | None, Field(ge=-1e9, le=1e9)]

STANDARDISED_BOX = (-3.0, 3.0)
"""Where nearly all of a standardised column lies."""


class TensorProductSpace(LinearSpace):
    """f(x) = sum_j a_j prod_i g_{j,i}(t_i), t = (x - lower) / (upper - lower): a fixed basis, nothing is random.

    A leaf names its resolution (degree, frequency, cells) in `resolution_field` and gives the univariate functions of
    all coordinates as the columns of one table; a basis function is a product of columns. Frozen parameters, whole
    numbers: `factors` (m, r), the columns of each function, and `size` (2,), d and the resolution.

    Exactly one of `width` and the resolution is given (docs/decisions/0005); with neither, width 100. The box is the
    same in every coordinate: [0, 1] where nothing is given, and [-3, 3] for standardised inputs.
    """

    width: Width = None
    lower: Annotated[Corner, Field(description="Lower end of the box; None: 0, or -3 for standardised inputs.")] = None
    upper: Annotated[Corner, Field(description="Upper end of the box; None: 1, or 3 for standardised inputs.")] = None

    random: ClassVar[bool] = False
    resolution_field: ClassVar[str]
    coarsest: ClassVar[int] = 0
    finest: ClassVar[int]

    @model_validator(mode="before")
    @classmethod
    def _width_by_default(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("width") is None and data.get(cls.resolution_field) is None:
            return {**data, "width": DEFAULT_WIDTH}
        return data

    @model_validator(mode="after")
    def _one_size_and_a_box(self) -> "TensorProductSpace":
        if self.width is not None and getattr(self, self.resolution_field) is not None:
            refuse("/width", f"Give either width or {self.resolution_field}: each follows from the other.")
        lower, upper = self.box
        if not lower < upper:
            refuse("/upper", "The box is empty: upper must exceed lower, which are 0 and 1 where not given.")
        return self

    @property
    def box(self) -> tuple[float, float]:
        """Both ends."""
        return 0.0 if self.lower is None else self.lower, 1.0 if self.upper is None else self.upper

    def for_sample(self, sample_size: int, standardised: bool) -> "TensorProductSpace":
        """The same space with its box in numbers, which depend on whether inputs are standardised."""
        ends = STANDARDISED_BOX if standardised and self.lower is None and self.upper is None else self.box
        return self.model_copy(update=dict(zip(("lower", "upper"), ends, strict=True)))

    @abstractmethod
    def count(self, resolution: int, dimension: int) -> int:
        """m at a resolution; increasing in it."""

    @abstractmethod
    def products(self, resolution: int, dimension: int) -> list[tuple[int, ...]]:
        """For each basis function the columns whose product it is, (0,) of a constant column where there is none."""

    @abstractmethod
    def table(self, units: Inputs, resolution: int) -> Table:
        """The univariate functions at t_i, all coordinates side by side."""

    @abstractmethod
    def onnx_table(self, graph: OnnxGraph, units: str, resolution: int, dimension: int) -> str:
        """The nodes of `table`."""

    def with_width(self, width: int) -> "TensorProductSpace":
        """The finest resolution of at most `width` functions, whatever the dimension will be."""
        return type(self)(
            kind=self.kind, width=width, **self.model_dump(exclude={"kind", "width", self.resolution_field})
        )

    def resolution(self, dimension: int) -> int:
        """The resolution as given, or the finest whose basis has at most `width` functions (coarsest at least)."""
        if self.width is None:
            return int(getattr(self, self.resolution_field))
        low, high = self.coarsest, self.finest + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.count(middle, dimension) <= self.width else (low, middle)
        return low

    def check_dimension(self, input_dimension: int) -> str | None:
        """The basis must fit: the curse of dimensionality, said with its number."""
        resolution = self.resolution(input_dimension)
        allowed = MOST_FUNCTIONS if self.width is None else self.width
        needed = self.count(resolution, input_dimension)
        if needed <= allowed:
            return None
        shown = f"{needed:,}" if needed < 10**15 else f"about 10^{len(str(needed)) - 1}"
        return (
            f"{self.kind} with {self.resolution_field} {resolution} in dimension {input_dimension} needs {shown} "
            f"basis functions; {allowed:,} are allowed."
        )

    def draw(
        self, input_dimension: int, output_dimension: int, randomness: Randomness, dtype: torch.dtype
    ) -> Parameters:
        """`factors` (m, r) and `size` (2,), frozen; `coefficients` (m, k) = 0. No randomness.

        Raises:
            InvalidData: the basis does not fit.
        """
        reason = self.check_dimension(input_dimension)
        if reason is not None:
            raise InvalidData(reason, "/hypothesis_space")
        resolution = self.resolution(input_dimension)
        products = self.products(resolution, input_dimension)
        most = max(len(columns) for columns in products)
        factors = torch.tensor([columns + (0,) * (most - len(columns)) for columns in products])
        return {
            "factors": factors.to(dtype),
            "size": torch.tensor([input_dimension, resolution]).to(dtype),
            "coefficients": torch.zeros(factors.shape[0], output_dimension, dtype=dtype),
        }

    def features(self, parameters: Parameters, inputs: Inputs) -> Features:
        """The basis functions at x_i."""
        lower, upper = self.box
        units = (inputs - lower) / (upper - lower)
        table = self.table(units, int(parameters["size"][1]))
        columns = parameters["factors"].T.long()
        product = table[:, columns[0]]
        for factor in columns[1:]:
            product = product * table[:, factor]
        return product

    def onnx(self, graph: OnnxGraph, inputs: str, parameters: Parameters) -> str:
        """The table, one Gather for each factor, Mul, MatMul."""
        dimension, resolution = (int(number) for number in parameters["size"])
        lower, upper = self.box
        units = graph.apply("Sub", inputs, graph.constant("lower", lower))
        units = graph.apply("Div", units, graph.constant("extent", upper - lower))
        table = self.onnx_table(graph, units, resolution, dimension)
        product = ""
        for factor in parameters["factors"].T.long():
            column = graph.apply("Gather", table, graph.integers("columns", factor.tolist()), axis=1)
            product = graph.apply("Mul", product, column) if product else column
        return graph.apply("MatMul", product, graph.constant("coefficients", parameters["coefficients"]))

    @abstractmethod
    def factors(self, resolution: int, dimension: int) -> int:
        """r, the most factors of a function; at least 1."""

    def parameter_count(self, input_dimension: int, output_dimension: int) -> int:
        """m (r + k) + 2, of which m k are trained."""
        resolution = self.resolution(input_dimension)
        each = self.factors(resolution, input_dimension) + output_dimension
        return self.count(resolution, input_dimension) * each + 2

    def flops_per_row(self, input_dimension: int, output_dimension: int) -> float:
        """The table, a product for each factor, and the sum."""
        resolution = self.resolution(input_dimension)
        functions = self.count(resolution, input_dimension)
        univariate = 6.0 * input_dimension * (resolution + 1)
        return univariate + functions * (self.factors(resolution, input_dimension) + 2.0 * output_dimension)
