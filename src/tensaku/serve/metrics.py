"""What Prometheus reads at `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tensaku.records import Usage
from tensaku.serve.turns import Turns

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_SPEEDS = (1, 3, 10, 20, 40, 80, 160, 320, 640, 1280)
_WHICH = ("model", "release", "adapter")


class Metrics:
    """Counts of one app, in a registry of its own.

    `model` is the task's name, `adapter` the first twelve digits of its content hash. No name that a client made up
    becomes a label.
    """

    def __init__(self, turns: Turns) -> None:
        self._registry = held = CollectorRegistry()
        self.requests = Counter("tensaku_requests", "Requests by door and status", ("door", "status"), registry=held)
        self.refused = Counter("tensaku_refused", "Requests refused, by code", ("code",), registry=held)
        self.again = Counter("tensaku_engine_restarts", "Answers begun anew after the engine failed", registry=held)
        self.failed = Counter("tensaku_engine_failures", "Answers that the engine failed to give", registry=held)
        self._answers = Counter(
            "tensaku_answers", "Answers, by arm and how they ended", (*_WHICH, "arm", "finish"), registry=held
        )
        about = "Tokens of prompts, those of them known before, and tokens written"
        self._tokens = Counter("tensaku_tokens", about, (*_WHICH, "kind"), registry=held)
        self._guessed = Counter(
            "tensaku_prediction_tokens", "Tokens that predictions offered", (*_WHICH, "outcome"), registry=held
        )
        self._first = Histogram(
            "tensaku_first_token_seconds", "From the request to the first text", _WHICH, buckets=_SECONDS, registry=held
        )
        self._whole = Histogram(
            "tensaku_answer_seconds", "From the request to the end", _WHICH, buckets=_SECONDS, registry=held
        )
        self._speed = Histogram(
            "tensaku_tokens_per_second", "While an answer was written", _WHICH, buckets=_SPEEDS, registry=held
        )
        Gauge("tensaku_queue_waiting", "Requests in line", registry=held).set_function(lambda: turns.waiting)
        Gauge("tensaku_queue_running", "Answers being written", registry=held).set_function(lambda: turns.running)

    def answered(
        self, which: tuple[str, str, str], arm: str, finish: str, usage: Usage, first: float | None, seconds: float
    ) -> None:
        """Count one answer. `which` is model, release and adapter; `first` the seconds to the first text, if any."""
        self._answers.labels(*which, arm, finish).inc()
        self._tokens.labels(*which, "prompt").inc(usage.prompt)
        self._tokens.labels(*which, "cached").inc(usage.cached)
        self._tokens.labels(*which, "completion").inc(usage.completion)
        self._guessed.labels(*which, "accepted").inc(usage.accepted)
        self._guessed.labels(*which, "rejected").inc(usage.rejected)
        self._whole.labels(*which).observe(seconds)
        if first is not None:
            self._first.labels(*which).observe(first)
            if usage.completion > 1 and seconds > first:
                self._speed.labels(*which).observe((usage.completion - 1) / (seconds - first))

    def page(self, shown: Callable[[str, str], bool] | None = None) -> bytes:
        """The metrics as Prometheus reads them; `shown` says for model and release whether their samples are."""
        return generate_latest(self._registry if shown is None else _Part(self._registry, shown))


class _Part(Collector):
    """The samples of a registry that may be shown; those that name no model always are."""

    def __init__(self, registry: CollectorRegistry, shown: Callable[[str, str], bool]) -> None:
        self._registry, self._shown = registry, shown

    def collect(self) -> Iterator[Metric]:
        """Each metric with the samples that are left."""
        known: dict[tuple[str, str], bool] = {}
        for metric in self._registry.collect():
            kept = []
            for sample in metric.samples:
                which = (sample.labels.get("model", ""), sample.labels.get("release", ""))
                if "model" in sample.labels and which not in known:
                    known[which] = self._shown(*which)
                if "model" not in sample.labels or known[which]:
                    kept.append(sample)
            metric.samples = kept
            yield metric
