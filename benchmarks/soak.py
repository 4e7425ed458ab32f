"""Two hundred jobs while workers, their children, the broker, the API and the database are killed: the counts.

    python benchmarks/soak.py                  # embedded on SQLite, then servers: PostgreSQL and a broker of their own
    python benchmarks/soak.py --place servers --jobs 50

Everything is a real process on the loopback address, and everything is ended afterwards. At least 600 seconds a place
are needed on two cores; a run that takes longer than --seconds counts what has not ended as lost. Exit status 1: a job
was lost or completed twice, or an event log contradicts itself.
"""

import argparse
import os
import platform
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fault_places import EmbeddedPlace, Place, ServersPlace
from fault_run import Fault, FaultRun
from own_services import OwnPostgres, postgres_programs

KILLS = 10
OTHERS = ("kill -9 of the broker", "kill -9 of the API", "database away", "kill -9 of the broker")


def faults_among(jobs: int, seed: int) -> list[Fault]:
    """Ten kills of workers or of their children at random, and the others, spread over the first nine tenths."""
    draw = random.Random(seed)
    kills = [draw.choice(("kill -9 of a worker", "kill -9 of a worker's children")) for _ in range(KILLS)]
    kills[:2] = ["kill -9 of a worker", "kill -9 of a worker's children"]
    spread = [Fault((1 + place) * jobs * 9 // (10 * (KILLS + 1)), name) for place, name in enumerate(kills)]
    spread += [Fault((1 + place) * jobs * 9 // (10 * (len(OTHERS) + 1)), name) for place, name in enumerate(OTHERS)]
    return spread


def place_of(name: str, directory: Path) -> Place:
    """The processes, started."""
    if name == "embedded":
        return EmbeddedPlace(directory)
    programs = postgres_programs()
    if programs is None:
        sys.exit("There is no initdb here: PostgreSQL's programs are needed.")
    return ServersPlace(directory, OwnPostgres(programs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", choices=("embedded", "servers", "both"), default="both")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--outage-seconds", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=1200.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=None, help="Keep what the processes said, by place, here.")
    options = parser.parse_args()
    sound = True
    for name in ("embedded", "servers") if options.place == "both" else (options.place,):
        with tempfile.TemporaryDirectory(prefix="riskscope-soak-") as directory:
            place = place_of(name, Path(directory))
            try:
                faults = faults_among(options.jobs, options.seed)
                run = FaultRun(place, options.jobs, faults, options.seed, options.outage_seconds)
                report = run.run(options.seconds)
            finally:
                place.close()
            if options.log is not None:
                options.log.mkdir(parents=True, exist_ok=True)
                (options.log / f"{name}.log").write_bytes(place.log.read_bytes())
        print(f"{name}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}")
        for line in (*report.lines(), *report.audit.faults_of_the_log):
            print(f"  {line}")
        found = report.audit
        sound = sound and not (found.lost or found.twice or found.faults_of_the_log)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
