"""Structured logs: an event's name and allow-listed fields.

A field that is not on the list is dropped, so that nobody has to remember what must not be logged. Phones, tokens,
bodies and names are never on it.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "logger", "exc_info", "exception",
        "account_id", "attempt", "bar_id", "callback_id", "code", "count", "duration_ms", "error", "error_code",
        "findings", "http_status", "kind", "method", "mode", "name", "outcome", "port", "reason", "request_id",
        "revision", "route", "seconds", "status", "transaction_id", "verdict", "version", "worker",
    }
)  # fmt: skip


def only_allowed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if key in ALLOWED}


def configure(format_: Literal["console", "json"] = "console", level: int = logging.INFO) -> None:
    """Send the logs to stderr: results belong to stdout."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if format_ == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_allowed,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # These print request lines, and a callback's address holds its token.
    for noisy in ("uvicorn.access", "aiohttp.access", "aiohttp.client"):
        logging.getLogger(noisy).disabled = True
