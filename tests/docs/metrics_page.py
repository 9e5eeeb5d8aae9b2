"""docs/reference/metrics.md: what `/metrics` tells, from the program itself."""

from collections.abc import Iterator
from importlib import import_module

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import Metric

from kaunta.payments.gauges import Figures

#: The counters register themselves.
import_module("kaunta.core.metrics")


def ours(registry: CollectorRegistry) -> Iterator[Metric]:
    return (metric for metric in registry.collect() if metric.name.startswith("kaunta_"))


def of_process() -> list[Metric]:
    """What a process counts by itself."""
    return sorted(ours(REGISTRY), key=lambda metric: metric.name)


def of_database() -> list[Metric]:
    """What is read at a scrape."""
    return sorted(ours(Figures().registry), key=lambda metric: metric.name)


def labels(name: str) -> tuple[str, ...]:
    """The labels a metric is kept by."""
    for registry in (REGISTRY, Figures().registry):
        for collector, names in registry._collector_to_names.items():
            if name in names:
                return tuple(getattr(collector, "_labelnames", ()))
    raise KeyError(name)


def metrics_page() -> str:
    lines = [
        "# Metrics", "",
        "`GET /metrics` answers in Prometheus' text format. Keep it inside your network. No label holds a bar, a",
        "person, a phone or an id. [`prometheus-rules.yaml`](../../deploy/observability/prometheus-rules.yaml) has",
        "alert rules, [`grafana-dashboard.json`](../../deploy/observability/grafana-dashboard.json) a dashboard to",
        "import. Scrape every `serve` process as the job `kaunta`.",
        "",
        "## Counted by a process", "",
        "From its start; a `worker` that serves nothing shows nothing.", "",
        *table(of_process()), "",
        "## Read from the database at each scrape", "",
        "The same whichever process is asked, so take the maximum, not the sum. Where the database is away only",
        "`kaunta_database_up` is told: 0.", "",
        *table(of_database()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def table(metrics: list[Metric]) -> Iterator[str]:
    yield "| Name | Kind | Labels | What |"
    yield "|---|---|---|---|"
    for metric in metrics:
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        kept_by = ", ".join(f"`{each}`" for each in labels(metric.name)) or "–"
        yield f"| `{name}` | {metric.type} | {kept_by} | {metric.documentation} |"
