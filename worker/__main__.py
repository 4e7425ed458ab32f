"""`python -m worker`: one worker process."""

import sys

from db.engine import Database
from db.logs import configure_logs
from db.migrate import schema_is_current
from worker.app import run_worker
from worker.settings import WorkerSettings


def main() -> None:
    """Work until told to stop."""
    settings = WorkerSettings()
    configure_logs(settings.log_level, settings.log_format)
    database = Database(settings)
    try:
        current = schema_is_current(database)
    finally:
        database.close()
    if not current:
        sys.exit("The database is not at the current schema: run 'riskscope migrate' first.")
    run_worker(settings)


if __name__ == "__main__":
    main()
