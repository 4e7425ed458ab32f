"""Prometheus metrics of one API process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """A registry of its own: two apps in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._series: dict[tuple[str, str, int], Histogram] = {}
        self._requests = Histogram(
            "riskscope_http_request_seconds",
            "Latency of HTTP requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.job_seconds = Histogram(
            "riskscope_job_seconds",
            "From a job's first start to its end, by kind and outcome.",
            ["kind", "outcome"],
            buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400),
            registry=self.registry,
        )
        self.lost_attempts = Counter(
            "riskscope_lost_attempts",
            "Attempts whose worker or process was lost, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.oldest_queued = Gauge(
            "riskscope_oldest_queued_seconds", "How long the first job of the queue waits.", registry=self.registry
        )
        self.jobs = Gauge("riskscope_jobs", "Jobs by status.", ["status"], registry=self.registry)
        self.workers = Gauge("riskscope_fresh_workers", "Workers seen lately.", registry=self.registry)
        self.accepted = Counter("riskscope_jobs_accepted", "Jobs accepted by kind.", ["kind"], registry=self.registry)
        self.predictions = Counter(
            "riskscope_predicted_rows", "Rows predicted by protocol.", ["protocol"], registry=self.registry
        )
        self.prediction_batch = Histogram(
            "riskscope_prediction_batch_rows",
            "Rows of one prediction request, by protocol.",
            ["protocol"],
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16_384, 65_536),
            registry=self.registry,
        )
        self.model_cache = Counter(
            "riskscope_model_lookups",
            "Predictions by whether their model was remembered open (hit) or looked up (miss).",
            ["result"],
            registry=self.registry,
        )
        self.cached_models = Gauge("riskscope_cached_models", "Open model sessions.", registry=self.registry)

    def observe_prediction(self, protocol: str, rows: int) -> None:
        """Count one answered prediction."""
        self.predictions.labels(protocol).inc(rows)
        self.prediction_batch.labels(protocol).observe(rows)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is the path template, so that ids do not make series."""
        series = self._series.get((method, route, status))
        if series is None:
            series = self._series[method, route, status] = self._requests.labels(method, route, str(status))
        series.observe(seconds)

    def render(self) -> bytes:
        """The text exposition."""
        return generate_latest(self.registry)
