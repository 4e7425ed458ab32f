"""One seed, many named streams: adding a consumer never shifts the draws of another."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Randomness:
    """A tree of random streams under one integer seed.

    `generator("features")` is the same CPU generator state in every process and on every device; draws are made on
    the CPU and moved, so that a model is reproducible across devices.
    """

    seed: int
    path: tuple[str, ...] = ()

    def child(self, name: str) -> "Randomness":
        """The subtree `name`; two streams of different names coincide with probability 2^-32."""
        return Randomness(self.seed, (*self.path, name))

    def generator(self, name: str) -> torch.Generator:
        """A fresh CPU generator at the start of the stream `name`; equal calls give equal streams."""
        key = "/".join((str(self.seed), *self.path, name)).encode()
        # blake2b spreads near seeds and names; of the 63 bits torch's CPU generator keeps the low 32.
        state = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") & (2**63 - 1)
        return torch.Generator(device="cpu").manual_seed(state)


BLOCK_ROWS = 256


def uniform_rows(randomness: Randomness, name: str, rows: int, columns: int) -> Tensor:
    """I.i.d. U[0,1) of shape (rows, columns), float64; the first rows of a longer draw are the same numbers."""
    return _rows_in_blocks(randomness, name, rows, columns, torch.rand)


def normal_rows(randomness: Randomness, name: str, rows: int, columns: int) -> Tensor:
    """I.i.d. N(0,1) of shape (rows, columns), float64; the first rows of a longer draw are the same numbers."""
    return _rows_in_blocks(randomness, name, rows, columns, torch.randn)


def _rows_in_blocks(randomness: Randomness, name: str, rows: int, columns: int, draw: Callable[..., Tensor]) -> Tensor:
    # torch's vectorised normal draws are not prefixes of longer ones; whole blocks of their own stream are. All of
    # them into one tensor: joined afterwards, a long draw would for a moment be there twice.
    stream, drawn = randomness.child(name), torch.empty(rows, columns, dtype=torch.float64)
    for block, part in enumerate(drawn.split(BLOCK_ROWS) if rows else ()):
        generator = stream.generator(str(block))
        if len(part) == BLOCK_ROWS:
            draw(BLOCK_ROWS, columns, generator=generator, out=part)
        else:
            part.copy_(draw(BLOCK_ROWS, columns, generator=generator, dtype=torch.float64)[: len(part)])
    return drawn
