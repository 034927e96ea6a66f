"""What Prometheus reads: requests, latencies, rows and scores, each by version."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    import numpy as np

    from promotion.serving.following import Slot
    from promotion.serving.forward import Answer, Served

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SCORES = tuple(round(0.05 * step, 2) for step in range(1, 21))


class Figures:
    """The counts of one server."""

    def __init__(self, slot: Slot) -> None:
        self._registry = CollectorRegistry()
        labels = ("model", "version")
        self._requests = Counter("promotion_requests", "Requests for a prediction.", (*labels, "status"), registry=self._registry)
        self._seconds = Histogram(
            "promotion_request_seconds", "From the last byte of a request to its answer.", labels, buckets=_SECONDS, registry=self._registry
        )
        self._rows = Counter("promotion_rows", "Rows that were answered.", labels, registry=self._registry)
        self._scores = _Scores()
        self._registry.register(self._scores)
        Gauge(
            "promotion_troubles", "What does not work now: the journal cannot be read, a version not loaded.", registry=self._registry
        ).set_function(lambda: len(slot.troubles))
        Gauge("promotion_swaps", "Versions that were put in service since the start.", registry=self._registry).set_function(
            lambda: slot.swaps
        )

    def answered(self, served: Served, answer: Answer, seconds: float) -> None:
        """Count one request that was answered."""
        labels = (served.ref.name, str(served.ref.version))
        self._requests.labels(*labels, "200").inc()
        self._seconds.labels(*labels).observe(seconds)
        self._rows.labels(*labels).inc(len(answer.values))
        if answer.numbers:
            self._scores.add(labels, answer.values[:, 0])

    def refused(self, served: Served | None, name: str, status: int) -> None:
        """Count one request that was not."""
        self._requests.labels(name, str(served.ref.version) if served else "", str(status)).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


class _Scores(Collector):
    """The first output's histogram, counted a request at a time: one by one, a thousand rows would take as long as the model."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], tuple[np.ndarray[Any, Any], float]] = {}

    def add(self, labels: tuple[str, str], scores: np.ndarray[Any, Any]) -> None:
        import numpy as np

        places = np.searchsorted(_SCORES, scores)
        found = np.bincount(places, minlength=len(_SCORES) + 1)
        with self._lock:
            before, total = self._counts.get(labels, (np.zeros(len(_SCORES) + 1, dtype=np.int64), 0.0))
            self._counts[labels] = (before + found, total + float(scores.sum()))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily("promotion_scores", "The first output of each row.", labels=("model", "version"))
        with self._lock:
            kept = dict(self._counts)
        for labels, (counts, total) in kept.items():
            limits = [*map(str, _SCORES), "+Inf"]
            family.add_metric(labels, list(zip(limits, map(int, counts.cumsum()), strict=True)), total)
        yield family
