"""Structured logs: an event's name and allow-listed fields.

A field that is not on the list is dropped, so that nobody has to remember what must not be logged. Phones, tokens,
bodies and names are never on it.
"""

import json
import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
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


def shape(error: BaseException | None) -> str:
    """An exception without its message: its kinds and where they were raised, the last one first.

    A message may quote what must not be logged: PostgreSQL's contain whole rows, a refused argument's its value.
    """
    lines: list[str] = []
    told: set[int] = set()
    while error is not None and id(error) not in told:
        told.add(id(error))
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
        lines += [
            f"  {Path(place.filename).name}:{place.lineno} {place.name}"
            for place in traceback.extract_tb(error.__traceback__)
        ]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


def without_message(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    given = event.pop("exc_info", None)
    if given:
        error = given if isinstance(given, BaseException) else sys.exc_info()[1]
        event["exception"] = shape(error)
    return event


class OthersWords(logging.Formatter):
    """What libraries log, without what they put into it: the sentence's template and the exception's shape."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        said = str(record.msg).partition("\n")[0]
        shown = shape(record.exc_info[1]) if record.exc_info else ""
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        if self.as_json:
            line = {"event": said, "logger": record.name, "level": record.levelname.lower(), "timestamp": at}
            return json.dumps(line | ({"exception": shown} if shown else {}))
        return f"{at} [{record.levelname.lower()}] {record.name}: {said}" + (f"\n{shown}" if shown else "")


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
            without_message,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, OthersWords)]:
        root.removeHandler(handler)
    others = logging.StreamHandler(sys.stderr)
    others.setFormatter(OthersWords(as_json=format_ == "json"))
    root.addHandler(others)
    # These print request lines, and a callback's address holds its token.
    for noisy in ("uvicorn.access", "aiohttp.access", "aiohttp.client"):
        logging.getLogger(noisy).disabled = True
