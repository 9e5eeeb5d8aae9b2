"""Counters that Prometheus reads. No label ever holds a phone, a secret or an id."""

from prometheus_client import Counter, Histogram

PUSHES = Counter("kaunta_pushes_total", "STK pushes by outcome", ["outcome"])
CALLBACKS = Counter("kaunta_callbacks_total", "Callbacks by what became of them", ["verdict"])
CALLBACK_SECONDS = Histogram("kaunta_callback_store_seconds", "From a callback's first byte to its commit")
QUERIES = Counter("kaunta_queries_total", "STK queries by outcome", ["outcome"])
