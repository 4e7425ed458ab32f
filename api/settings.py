"""Settings of the API process, read from RISKSCOPE_*. Every cap that a client can meet is here, with its number."""

import ipaddress

from pydantic import Field, SecretStr

from api.machine import memory_bytes, processors
from db.settings import ServiceSettings


class ApiSettings(ServiceSettings):
    """The defaults suit one machine and its user."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    socket_fd: int | None = Field(default=None, description="A listening socket inherited from the supervisor.")
    admin_key: SecretStr | None = Field(default=None, description="A key with every scope, from the environment.")

    requests_per_second: float | None = Field(
        default=None, gt=0, description="Of each key, and of each address that shows none; None: no limit."
    )
    request_burst: int = Field(default=100, ge=1, description="Requests at once before the rate counts.")
    telemetry: bool = Field(default=False, description="OpenTelemetry, to where OTEL_EXPORTER_OTLP_ENDPOINT says.")
    cors_origins: list[str] = Field(default=[], description="Origins whose pages may call; empty: no CORS.")

    max_body_bytes: int = Field(default=8 * 2**20, ge=1024, description="Cap of a JSON request body.")
    max_upload_bytes: int = Field(default=512 * 2**20, ge=1024, description="Cap of an uploaded file.")
    max_json_nesting: int = Field(default=64, ge=8, le=500, description="Cap of the depth of a JSON body.")
    max_dataset_rows: int = Field(default=10_000_000, ge=1)
    max_dataset_columns: int = Field(default=10_000, ge=1)
    max_dataset_cells: int = Field(default=250_000_000, ge=1, description="Cap of rows times columns.")
    max_decoded_bytes: int = Field(default=4 * 2**30, ge=2**20, description="Cap of an upload's values, decompressed.")
    max_reading_seconds: float = Field(default=300.0, gt=0, description="An upload that takes longer to read is 413.")
    max_reading_memory_bytes: int = Field(
        default_factory=lambda: min(4 * 2**30, memory_bytes() // 2),
        ge=2**28,
        description="Memory of the process that reads an upload.",
    )
    max_parallel_readings: int = Field(default=2, ge=1, le=64, description="Uploads read at the same time.")
    spare_reading_process: bool = Field(default=True, description="Keep a process ready for the next upload.")
    max_prediction_rows: int = Field(default=100_000, ge=1, description="Cap of the rows of one prediction request.")
    prediction_threads: int = Field(
        default_factory=processors,
        ge=1,
        description="Large predictions that are computed at the same time.",
    )
    max_waiting_predictions: int = Field(default=128, ge=0, description="Of those that wait; one more answers 429.")
    prediction_timeout_seconds: float = Field(default=30.0, gt=0, description="A prediction takes longer: 503.")
    max_queued_jobs: int = Field(default=10_000, ge=1, description="Of all owners; a full queue answers 429.")
    max_queued_jobs_per_owner: int = Field(default=1_000, ge=1, description="Of one owner; one more answers 429.")
    max_grid_cells: int = Field(default=4_096, ge=1, description="Cap of a job's cells: spaces, widths, sample sizes.")
    max_job_parameters: int = Field(default=100_000_000, ge=1, description="Cap of the numbers that a model has.")
    max_attempts: int = Field(default=3, ge=1, le=100, description="Attempts of a job whose worker is lost.")
    max_job_memory_bytes: int = Field(
        default_factory=lambda: int(0.8 * memory_bytes()),
        ge=1,
        description="A job planned above this is refused before it is queued.",
    )
    max_wait_seconds: float = Field(default=60.0, ge=0, description="Cap of ?wait= on a job.")
    idempotency_seconds: float = Field(default=86_400.0, ge=60)
    model_cache_bytes: int = Field(default=2 * 2**30, ge=2**20, description="Memory for open model sessions.")
    fresh_worker_seconds: float = Field(default=45.0, ge=1)

    @property
    def bound_to_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
