"""The compiled gradient of ReLU networks, where the installation could build it."""

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from models.batched_training.rows import StackedRows, Stretch, equal_share
from models.batched_training.stacking import StackedParameters

LANES = {"AVX2": 8, "AVX512": 16}
"""Numbers of a vector by torch's name of the processor's capability."""

BLOCK = 32
"""Panels whose activations are held at a time (relu_kernel.c)."""


class PackedRows:
    """Rows in panels of l lanes, filled up with zeros: inputs (g, p, c, l) and labels (g, p, l)."""

    def __init__(self, rows: StackedRows, factor: float, lanes: int) -> None:
        """For outputs `factor` * A^T h: labels are divided by it. `scale`: 2 factor^2 / n."""
        panels = -(-rows.size // lanes)
        filling = (0, 0, 0, panels * lanes - rows.size)
        inputs, labels = (torch.nn.functional.pad(values, filling) for values in (rows.inputs, rows.labels / factor))
        self.of = rows
        self.scale = 2 * factor**2 / rows.size
        self.inputs = inputs.unflatten(1, (panels, lanes)).transpose(2, 3).contiguous()
        self.labels = labels.contiguous()


class ReluKernel:
    """relu_kernel.c. Faster than torch's operations wherever it exists, most of all for few columns and rows.

    Everything is float32, contiguous and on the CPU; `scratch` holds `scratch_size` numbers. A network's results do not
    depend on the others, not even in their last bit.
    """

    def __init__(self, library: Path, lanes: int) -> None:
        """Load the shared library, which was compiled for vectors of `lanes` numbers.

        Raises:
            OSError: it cannot be loaded here.
        """
        self.lanes = lanes
        loaded = ctypes.CDLL(str(library))
        long, pointer, number = ctypes.c_long, ctypes.c_void_p, ctypes.c_float
        self._squares, self._steps = loaded.relu_squares, loaded.relu_steps
        self._squares.argtypes = [long] * 5 + [pointer] * 6
        self._steps.argtypes = [long] * 5 + [pointer] * 6 + [long] * 2 + [number] * 2 + [pointer]
        self._squares.restype = self._steps.restype = None

    def scratch_size(self, width: int, columns: int) -> int:
        """Numbers of scratch."""
        return width * (BLOCK * self.lanes + columns + 1)

    def squares(self, theta: StackedParameters, rows: PackedRows, scratch: Tensor) -> Float[Tensor, " b"]:
        """sum_i (r_i/alpha)^2 of each network."""
        sums = theta["weights"].new_empty(theta.networks)
        tensors = (rows.inputs, rows.labels, *theta.tensors, sums, scratch)
        self._squares(*_extents(theta, rows, rows.of.samples), *(one.data_ptr() for one in tensors))
        return sums

    def take_steps(
        self,
        moving: Sequence[StackedParameters],
        rows: PackedRows,
        stretch: Stretch,
        courses: Float[Tensor, "t 4"],
        rates: Float[Tensor, " b"],
        decays: Float[Tensor, " b"],
        clip: float | None,
        scratch: Tensor,
    ) -> None:
        """As many steps of Adam as `courses` has rows, on `stretch`, whose rows are packed in `rows`.

        `moving`: theta, the two moments, and the averages where they are wanted. A row of `courses` is the schedule's
        factor, 1 - beta1^t, (1 - beta2^t)^{1/2}, and what an average takes from the new iterate.
        """
        pairs = (ctypes.c_void_p * 8)(*(one.data_ptr() for pair in moving for one in pair.tensors))
        inputs, labels = (values[stretch.first * stretch.stride].data_ptr() for values in (rows.inputs, rows.labels))
        self._steps(
            *_extents(moving[0], rows, stretch.samples), inputs, labels, pairs, rates.data_ptr(), decays.data_ptr(),
            courses.data_ptr(), len(courses), stretch.stride, rows.scale, clip or 0.0, scratch.data_ptr(),
        )  # fmt: skip


def _extents(theta: StackedParameters, rows: PackedRows, samples: int) -> tuple[int, ...]:
    """The kernel's first arguments."""
    networks, width, columns = theta["weights"].shape
    return networks, equal_share(networks, samples), rows.inputs.shape[1], columns, width


@functools.cache
def relu_kernel() -> ReluKernel | None:
    """The kernel beside this file, or None: not built (it needs GCC), or a processor without AVX2."""
    lanes = LANES.get(torch.backends.cpu.get_cpu_capability())
    built = sorted(Path(__file__).parent.glob(f"_relu_kernel_{lanes}.*so"))
    return ReluKernel(built[0], lanes) if lanes and built else None
