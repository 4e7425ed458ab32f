"""Settings of a worker process, read from RISKSCOPE_*."""

from pydantic import Field

from db.settings import ServiceSettings


class WorkerSettings(ServiceSettings):
    """The defaults suit one machine of few cores; every duration is in seconds."""

    slots: int = Field(default=1, ge=1, le=256, description="Jobs that run at the same time.")
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    lease_seconds: float = Field(default=60.0, gt=0, description="A claim that is not renewed for so long is lost.")
    heartbeat_seconds: float = Field(default=15.0, gt=0)
    poll_seconds: float = Field(default=0.5, gt=0, description="How often a running job looks for a cancellation.")
    sweep_seconds: float = Field(default=1.0, gt=0, description="How often lost claims and lost rings are looked for.")
    stall_seconds: float = Field(
        default=10.0, gt=0, description="A job that waited so long beside a free slot is taken without a message."
    )
    cancel_grace_seconds: float = Field(default=0.5, ge=0, description="Time to stop when cancelled, then SIGKILL.")
    drain_grace_seconds: float = Field(default=2.0, ge=0, description="Time to stop when the worker shuts down.")

    shard_seconds: float = Field(
        default=5.0, gt=0, description="A job that may be split is, where it has work for two shards of so long."
    )

    webhook_attempts: int = Field(default=9, ge=1, le=100, description="Then a delivery has failed.")
    webhook_retry_seconds: float = Field(
        default=10.0, gt=0, description="Before the second attempt; four times as long before each one after."
    )
    webhook_timeout_seconds: float = Field(default=10.0, gt=0, le=60, description="Of an attempt, all together.")
    webhook_senders: int = Field(default=4, ge=1, le=64, description="Attempts that are made at the same time.")

    checkpoint_seconds: float = Field(
        default=10.0, gt=0, description="A long fit keeps its state so often, or less where writing takes over 1 %."
    )

    child_threads: int = Field(default=1, ge=1, description="Threads of the numerical libraries in each job.")
    child_memory_bytes: int | None = Field(default=None, ge=2**30, description="Cap of a job's data; None: no cap.")
    child_jobs: int = Field(
        default=16, ge=1, description="Jobs, with their shards, of one process; 1: a fresh process for each of them."
    )
