"""One trace a payment, from the guest's tap to the ledger, for whoever runs a collector (OpenTelemetry).

A payment's id is its trace's id. So nothing has to be kept or sent along for the callback, the worker or another host
to go on with the same trace: whoever knows the payment knows it. A step is written down when it is over, because the
tap begins before the payment has an id.

Off, nothing of OpenTelemetry is imported, and a step costs one look at a name. No attribute ever holds a phone, a
receipt, a token or a name: kinds and outcomes only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from kaunta.core.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

#: Set while traces are sent.
tracer: "Tracer | None" = None
#: The payment whose first step is being written: it gets the ids that the later ones name.
beginning: ContextVar[UUID | None] = ContextVar("kaunta_trace_begins", default=None)

SERVICE = "kaunta"
LOW_64_BITS = 2**64 - 1


class TracingMissing(ConfigurationError):
    """KAUNTA_TRACES_URL is set, and OpenTelemetry is not installed: install `kaunta[otel]`, or unset it."""

    code = "tracing_missing"


def step(payment_id: UUID, name: str, began: datetime, ended: datetime, **said: str | int) -> None:
    """A step of a payment that is over; `said` holds kinds and outcomes."""
    if tracer is not None:
        write(tracer, payment_id, name, began, ended, said, first=False)


def first_step(payment_id: UUID, name: str, began: datetime, ended: datetime, **said: str | int) -> None:
    """The guest's tap: the step that all others hang under."""
    if tracer is not None:
        write(tracer, payment_id, name, began, ended, said, first=True)


def write(
    by: "Tracer",
    payment_id: UUID,
    name: str,
    began: datetime,
    ended: datetime,
    said: dict[str, str | int],
    *,
    first: bool,
) -> None:
    from opentelemetry import context, trace

    parent = context.Context()
    if not first:
        known = trace.SpanContext(
            trace_id=payment_id.int,
            span_id=root_of(payment_id),
            is_remote=True,
            trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
        )
        parent = trace.set_span_in_context(trace.NonRecordingSpan(known), parent)
    token = beginning.set(payment_id if first else None)
    try:
        span = by.start_span(
            name,
            context=parent,
            start_time=nanoseconds(began),
            attributes={"kaunta.payment": str(payment_id), **{f"kaunta.{key}": value for key, value in said.items()}},
        )
    finally:
        beginning.reset(token)
    span.end(nanoseconds(max(began, ended)))


def root_of(payment_id: UUID) -> int:
    """The first step's id: a random uuid's lower half is never zero."""
    return payment_id.int & LOW_64_BITS


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000


@contextmanager
def sending(url: str | None) -> Iterator[None]:
    """For the length of the block, traces go to a collector (OTLP over HTTP); nowhere without an address.

    Raises `TracingMissing`.
    """
    if url is None:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise TracingMissing from None
    with exporting(OTLPSpanExporter(endpoint=url), at_once=False):
        yield


@contextmanager
def exporting(exporter: "SpanExporter", *, at_once: bool) -> Iterator[None]:
    """For the length of the block, steps go to an exporter: in batches from a thread, or each at once."""
    global tracer
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    provider = provider_of()
    provider.add_span_processor(SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter))
    before, tracer = tracer, provider.get_tracer(SERVICE)
    try:
        yield
    finally:
        tracer = before
        provider.shutdown()


def provider_of() -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class PaymentIds(RandomIdGenerator):
        """A first step's ids are those that the payment's id says."""

        def generate_trace_id(self) -> int:
            payment_id = beginning.get()
            return payment_id.int if payment_id is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            payment_id = beginning.get()
            return root_of(payment_id) if payment_id is not None else super().generate_span_id()

    return TracerProvider(resource=Resource({"service.name": SERVICE}), id_generator=PaymentIds())
