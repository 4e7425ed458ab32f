"""The parts of a job's work: computed here and kept, or left by shards in files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import overload

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.run_context import PARTS_HELD_BYTES, Part

LARGEST_COUNT = 256
"""Shards of a round: each costs a claim and a start."""


class RoundAsked(BaseException):
    """The run ends here; it goes on once the shards of this round have left their files. Not for models to catch."""

    def __init__(self, name: str, shards: int) -> None:
        super().__init__(name)
        self.name = name
        self.shards = shards


class ShardDone(BaseException):
    """The shard's parts are written, the rest of the run is not its own. Not for models to catch."""


def shard_count(parts: int, seconds: float, shard_seconds: float) -> int:
    """Into how many shards of `shard_seconds` or longer a round of `seconds` is split; 1: into none."""
    return max(1, min(parts, LARGEST_COUNT, int(seconds / shard_seconds)))


def parts_of_shard(index: int, shards: int, parts: int) -> range:
    """The parts of one shard: consecutive ones, as many as the others have or one more."""
    return range(index * parts // shards, (index + 1) * parts // shards)


def write_parts(path: Path, parts: Mapping[int, Part]) -> None:
    """One file with these parts; it appears whole or not at all."""
    tensors = {f"{index}/{name}": value for index, part in parts.items() for name, value in part.items()}
    partial = path.with_name(path.name + ".partial")
    # A file takes no views that share memory.
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, partial)
    partial.replace(path)


def read_part(path: Path, index: int) -> dict[str, Tensor]:
    """One part of a file."""
    start = f"{index}/"
    with safe_open(path, framework="pt") as file:
        return {name.removeprefix(start): file.get_tensor(name) for name in file.keys() if name.startswith(start)}  # noqa: SIM118


class PartsOfShards(Sequence[Part]):
    """The parts of a finished round; each is read when it is asked for."""

    def __init__(self, files: Sequence[Path], count: int) -> None:
        self._files = files
        self._count = count
        ranges = [parts_of_shard(index, len(files), count) for index in range(len(files))]
        self._file_of = {part: file for file, parts in zip(files, ranges, strict=True) for part in parts}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Part: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Part]: ...

    def __getitem__(self, index: int | slice) -> Part | Sequence[Part]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        return read_part(self._file_of[range(self._count)[index]], index)


class KeptParts(Sequence[Part]):
    """Parts computed in this process: in memory as far as PARTS_HELD_BYTES go, then in files of `directory`."""

    def __init__(self, directory: Path, name: str, count: int, compute: Callable[[int], Part]) -> None:
        self._kept: list[Part | Path] = []
        held = 0
        for index in range(count):
            part = compute(index)
            size = sum(value.nbytes for value in part.values())
            if held + size <= PARTS_HELD_BYTES:
                held += size
                self._kept.append(part)
                continue
            path = directory / f"{name}-{index}.safetensors"
            write_parts(path, {index: part})
            self._kept.append(path)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Part: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Part]: ...

    def __getitem__(self, index: int | slice) -> Part | Sequence[Part]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        kept = self._kept[index]
        return read_part(kept, range(len(self))[index]) if isinstance(kept, Path) else kept
