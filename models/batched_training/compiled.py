"""The compiled gradient of ReLU networks, where the installation could build it."""

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from models.batched_training.rows import StackedRows
from models.batched_training.stacking import StackedParameters

LANES = 16
SCRATCH = 32 * LANES
"""Numbers of scratch for each neuron (relu_kernel.c)."""


class PackedRows:
    """Rows in panels of 16, filled up with zeros: inputs (g, p, c, 16) and labels (g, p, 16)."""

    def __init__(self, rows: StackedRows, factor: float) -> None:
        """For outputs `factor` * A^T h: labels are divided by it."""
        panels = -(-rows.size // LANES)
        filling = (0, 0, 0, panels * LANES - rows.size)
        inputs, labels = (torch.nn.functional.pad(values, filling) for values in (rows.inputs, rows.labels / factor))
        self.of = rows
        self.inputs = inputs.unflatten(1, (panels, LANES)).transpose(2, 3).contiguous()
        self.labels = labels.contiguous()


class ReluKernel:
    """relu_kernel.c. Faster than products by oneDNN or MKL wherever it exists, most of all for few columns."""

    def __init__(self, library: Path) -> None:
        """Load the shared library.

        Raises:
            OSError: it cannot be loaded here.
        """
        self._call = ctypes.CDLL(str(library)).relu_gradients
        self._call.argtypes = [ctypes.c_long] * 6 + [ctypes.c_void_p] * 6
        self._call.restype = None

    def write(self, theta: StackedParameters, networks: slice, rows: PackedRows, into: Tensor, scratch: Tensor) -> None:
        """u_j = sum_i (r_i/alpha) [z_ij > 0] x_i of these networks, to their place in `into`.

        Everything is float32, contiguous and on the CPU; `scratch` holds SCRATCH * m numbers. A network's sums do not
        depend on the others, not even in their last bit.
        """
        (count, width, columns), panels = theta.weights.shape, rows.inputs.shape[1]
        tensors = (rows.inputs, rows.labels, theta.weights, theta.coefficients, into, scratch)
        share = count // len(rows.inputs)
        pointers = (values.data_ptr() for values in tensors)
        self._call(networks.start, networks.stop, share, panels, columns, width, *pointers)


@functools.cache
def relu_kernel() -> ReluKernel | None:
    """The kernel beside this file, or None: not built (it needs GCC), or a processor without AVX-512."""
    built = sorted(Path(__file__).parent.glob("_relu_kernel*.so"))
    if not built or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return None
    return ReluKernel(built[0])
