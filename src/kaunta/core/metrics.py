"""Counters that Prometheus reads. No label ever holds a phone, a secret or an id."""

import os
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

CALLBACKS = Counter("kaunta_callbacks_total", "Callbacks by what became of them", ["verdict"])
CALLBACK_SECONDS = Histogram("kaunta_callback_store_seconds", "From a callback's first byte to its commit")
#: Grows where the worker has to do what the request could not: a tab that stood locked, a database that was away.
CALLBACK_DELAY = Histogram(
    "kaunta_callback_delay_seconds", "From an STK result's arrival to its understanding, committed",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600),
)  # fmt: skip
#: `api`: oauth, stk_push, stk_query, …; `outcome`: accepted, rejected, no_answer, …, as the exchange's record says.
DARAJA_SECONDS = Histogram(
    "kaunta_daraja_seconds", "Calls to Daraja by what they came to", ["api", "outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60),
)  # fmt: skip
#: Observed where the credit is written: what is rolled back and tried again counts twice.
PAID_SECONDS = Histogram(
    "kaunta_time_to_paid_seconds", "From the push to the credit, whoever told of it",
    buckets=(1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 900, 3_600, 86_400),
)  # fmt: skip
CREDENTIALS = Counter("kaunta_credentials_opened_total", "Stored credentials opened for use", ["outcome"])
LIVE_PAGES = Gauge("kaunta_live_pages", "Open pages that this process tells of changes")
TURNS = Counter("kaunta_worker_turns_total", "Turns of the worker's loops in this process", ["loop", "outcome"])
ANSWERS = Counter("kaunta_answers_total", "HTTP answers by status: 2xx, 3xx, 4xx, and each above by itself", ["status"])


@cache
def answers(status: int) -> Counter:
    """The counter of HTTP answers with this status, without looking it up among them for each answer."""
    return ANSWERS.labels(f"{status // 100}xx" if status < 500 else status)


#: Counters belong to one process of several behind an address; this says to which.
PROCESS = Gauge("kaunta_process_id", "The process whose counters these are")
PROCESS.set(os.getpid())
