"""The one Celery task. Its message is a doorbell: the row is the job."""

from celery import Celery

from db.job_state import RUN_JOB_TASK
from worker.runner import Runner


def register_tasks(app: Celery, runner: Runner) -> None:
    """Let `app` run jobs with `runner`."""

    @app.task(name=RUN_JOB_TASK)
    def run_job(job_id: str) -> None:
        """Run this job, or the next one where it is taken; a late or second ring finds nothing and is done."""
        runner.run(job_id)
