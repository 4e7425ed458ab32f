"""The laws mu of the inputs under which a synthetic target is learnt."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from models.randomness import Randomness, normal_rows, uniform_rows

Measure = Literal["uniform", "gaussian", "sphere"]
"""uniform: U[0,1]^d. gaussian: N(0, I) on R^d. sphere: uniform on S^{d-1} = {|x|_2 = 1}, for d = 1 the points -1, 1."""


def draw_inputs(measure: Measure, randomness: Randomness, name: str, rows: int, dimension: int) -> Float[Tensor, "n d"]:
    """x_1 .. x_n i.i.d. ~ mu from the stream `name`, float64; a smaller n gives the first rows of a larger one."""
    if measure == "uniform":
        return uniform_rows(randomness, name, rows, dimension)
    normal = normal_rows(randomness, name, rows, dimension)
    # A normal vector's direction is uniform on the sphere and independent of its length.
    return normal if measure == "gaussian" else normal / normal.norm(dim=1, keepdim=True)


def sup_bound(measure: Measure) -> float | None:
    """sup ||x||_inf over the support of mu; None: unbounded."""
    return None if measure == "gaussian" else 1.0
