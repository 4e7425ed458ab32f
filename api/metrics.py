"""Prometheus metrics of one API process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """A registry of its own: two apps in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "riskscope_http_request_seconds",
            "Latency of HTTP requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.jobs = Gauge("riskscope_jobs", "Jobs by status.", ["status"], registry=self.registry)
        self.workers = Gauge("riskscope_fresh_workers", "Workers seen lately.", registry=self.registry)
        self.accepted = Counter("riskscope_jobs_accepted", "Jobs accepted by kind.", ["kind"], registry=self.registry)
        self.predictions = Counter(
            "riskscope_predicted_rows", "Rows predicted by protocol.", ["protocol"], registry=self.registry
        )
        self.cached_models = Gauge("riskscope_cached_models", "Open model sessions.", registry=self.registry)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is the path template, so that ids do not make series."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def render(self) -> bytes:
        """The text exposition."""
        return generate_latest(self.registry)
