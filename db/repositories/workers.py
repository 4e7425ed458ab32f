"""Which workers are alive."""

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.tables import Worker
from db.types import after, now


class Workers:
    """Registration by heartbeat; a worker that has not been seen for a day is forgotten."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def seen(self, worker_id: str, device: str, slots: int) -> None:
        """Record that the worker is alive now."""
        worker = self.session.get(Worker, worker_id)
        if worker is None:
            self.session.add(Worker(id=worker_id, device=device, slots=slots))
        else:
            worker.seen_at = now()
        self.session.execute(delete(Worker).where(Worker.seen_at < after(-86_400)))

    def gone(self, worker_id: str) -> None:
        """Forget a worker that said goodbye."""
        self.session.execute(delete(Worker).where(Worker.id == worker_id))

    def fresh(self, within_seconds: float) -> int:
        """How many workers were seen within the last `within_seconds`."""
        query = select(func.count()).select_from(Worker).where(Worker.seen_at >= after(-within_seconds))
        return self.session.scalar(query) or 0
