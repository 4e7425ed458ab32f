"""What it costs to read an upload in a process of its own: python benchmarks/reading_process.py"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from api.dataset_files.caps import Caps, ReadingLimits
from api.dataset_files.formats import canonicalise
from api.dataset_files.options import CsvOptions
from api.dataset_files.reading import FileReaders

CAPS = Caps(rows=10**7, columns=10**4, cells=25 * 10**7, decoded_bytes=2**32, levels=1000)
LIMITS = ReadingLimits(seconds=300, memory_bytes=2**31, parallel=2)
ROUNDS = 9
PAUSE_SECONDS = 1.5


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call, after a pause in which the next spare process starts."""
    time.sleep(PAUSE_SECONDS)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print the medians of alternating rounds."""
    fresh, spare = FileReaders(LIMITS, spare=False), FileReaders(LIMITS, spare=True)
    spare.warm()
    with tempfile.TemporaryDirectory() as folder:
        table, written = Path(folder) / "table.csv", Path(folder) / "canonical.parquet"
        table.write_text("a,b\n" + "1,2\n" * 1000)
        ways: dict[str, Callable[[], object]] = {
            "in this process": lambda: canonicalise(table, "csv", written, CAPS, CsvOptions()),
            "in a fresh process": lambda: fresh.read(table, "csv", written, CAPS, CsvOptions()),
            "in a spare process": lambda: spare.read(table, "csv", written, CAPS, CsvOptions()),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, work in ways.items():
                times[way].append(seconds(work))
    spare.close()
    for way, taken in times.items():
        print(f"{way}: {1000 * statistics.median(taken):.0f} ms")


if __name__ == "__main__":
    main()
