"""The states of a job and what may follow what; the words that api and worker share about the queue."""

from enum import StrEnum

RUN_JOB_TASK = "riskscope.run_job"
"""Name of the Celery task; its one argument is a job id. The message is a doorbell: the row is the job."""

QUEUE = "riskscope.jobs"
"""Name of the broker's queue."""


class JobStatus(StrEnum):
    """queued -> running -> succeeded | failed | cancelled; running -> queued when a worker hands back or is lost."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)
TERMINAL = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)
