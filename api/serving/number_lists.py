"""The compiled reader of lists of numbers (number_lists.c), where the installation could build it."""

import ctypes
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEAST_POWER, GREATEST_POWER = -342, 308
"""Powers of ten beyond which 19 digits are zero or infinite."""


@dataclass(frozen=True)
class NumberList:
    """What was read: `values`, flat; the number of inner `rows`, 0 for a flat list; the place behind the list."""

    values: NDArray[np.float64]
    rows: int
    end: int


class NumberReader:
    """Reads correctly rounded doubles while other threads run: a foreign call does not hold the interpreter's lock."""

    def __init__(self, library: Path) -> None:
        """Load the shared library.

        Raises:
            OSError: it cannot be loaded here.
        """
        self._read = ctypes.CDLL(str(library)).read_numbers
        long, pointer = ctypes.c_long, ctypes.c_void_p
        self._read.argtypes = [ctypes.c_char_p, long, long, pointer, long, pointer, pointer]
        self._read.restype = long
        self._powers = powers_of_five()

    def read(self, text: bytes, begin: int) -> NumberList | None:
        """The list that begins at `begin`: numbers, or lists of them that are equally long.

        None where anything else stands there: an empty list, another value, more than 19 digits, no valid JSON.
        """
        # A number has a digit and a mark behind it. Memory that is not written is not taken from the system.
        values = np.empty(max(0, len(text) - begin) // 2)
        counts = (ctypes.c_long * 2)()
        end = self._read(
            text, begin, len(text), self._powers.ctypes.data, len(values), values.ctypes.data, ctypes.byref(counts)
        )
        return NumberList(values[: counts[1]], counts[0], end) if end else None


def powers_of_five() -> NDArray[np.uint64]:
    """[651, 2]: the leading 128 bits of 5^q, high word first; cut off for q >= 0, rounded up below.

    Source: Lemire, Number parsing at a gigabyte per second (2021), section 5.
    """
    leading = []
    for q in range(LEAST_POWER, GREATEST_POWER + 1):
        power = 5 ** abs(q)
        if q < 0:
            bits = (power - 1).bit_length()
            power = (1 << (bits + 127 if q >= -27 else 2 * bits + 128)) // power + 1
        surplus = power.bit_length() - 128
        leading.append(power >> surplus if surplus > 0 else power << -surplus)
    return np.array([(each >> 64, each & (2**64 - 1)) for each in leading], dtype=np.uint64)


@functools.cache
def number_reader() -> NumberReader | None:
    """The reader beside this file, or None: it was not built, which needs GCC or Clang."""
    built = sorted(Path(__file__).parent.glob("_number_lists.*so"))
    return NumberReader(built[0]) if built else None
