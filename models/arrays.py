"""The tensors' shapes by name. n: rows, d: input dimension, k: outputs, m: width (number of features).

Shapes are checked while the tests run (jaxtyping with beartype); in production they are documentation.
"""

from jaxtyping import Float, Int
from torch import Tensor

Inputs = Float[Tensor, "n d"]
Labels = Float[Tensor, "n k"]
Outputs = Float[Tensor, "n k"]
Features = Float[Tensor, "n m"]
Rows = Int[Tensor, " n"]
Scalar = Float[Tensor, ""]
Parameters = dict[str, Tensor]
"""A hypothesis's parameters by name; exactly what is stored as safetensors."""
