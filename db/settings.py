"""What every process of one service must agree on: where rows, files and messages live, and the form of the logs."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url


class ServiceSettings(BaseSettings):
    """Read from RISKSCOPE_*: one prefix for the whole service."""

    model_config = SettingsConfigDict(env_prefix="RISKSCOPE_", extra="ignore")

    data_directory: Path = Field(default=Path(".riskscope"), description="Artefacts, and the embedded database.")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in the data directory.")
    database_pool_size: int = Field(default=5, ge=1, le=100)
    broker_url: str = Field(default="redis://127.0.0.1:6379/0", description="redis:// or redis+socket:// URL.")
    key_secret: SecretStr | None = Field(
        default=None, min_length=32, description="API keys are hashed under it; None: a file of the data directory."
    )
    webhook_allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Networks that are not public and that webhooks may go to all the same."
    )
    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator("database_url")
    @classmethod
    def _psycopg(cls, url: str) -> str:
        # The bare scheme means "PostgreSQL" to everyone; the driver is ours to choose.
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                url = "postgresql+psycopg://" + url.removeprefix(scheme)
        if url:
            make_url(url)
        return url

    @property
    def effective_database_url(self) -> str:
        """The URL in force."""
        return self.database_url or f"sqlite:///{self.data_directory.resolve() / 'riskscope.sqlite3'}"

    @property
    def artefact_directory(self) -> Path:
        """Root of the artefact store."""
        return self.data_directory.resolve() / "artefacts"
