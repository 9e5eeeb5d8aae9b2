"""One trace a payment, from the guest's tap to the ledger, and nothing of anybody in it."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kaunta.core import tracing
from kaunta.settings import load
from tests.payments.conftest import PHONE, Evening, evening, pushes, rt

__all__ = ["evening", "pushes", "rt"]


@pytest.fixture
def spans() -> Iterator[Callable[[], Sequence[ReadableSpan]]]:
    """`spans()`: every step that was written since the test began, oldest first."""
    exporter = InMemorySpanExporter()
    with tracing.exporting(exporter, at_once=True):
        yield exporter.get_finished_spans


async def test_one_trace_from_the_tap_to_the_ledger_across_the_callback(
    evening: Evening,
    spans: Callable[[], Sequence[ReadableSpan]],
) -> None:
    first = await evening.pay(300)
    await evening.settle()
    second = await evening.pay(200, phone="254700000001", scenario="callback_lost")
    await evening.live_on(60)
    for payment, steps in (
        (first, ["payment begun", "stk push", "credited", "callback understood"]),
        (second, ["payment begun", "stk push", "stk query", "credited"]),
    ):
        mine = [span for span in spans() if span.context is not None and span.context.trace_id == payment.int]
        names = [span.name for span in mine]
        assert [name for name in dict.fromkeys(names) if name in steps] == steps
        (root,) = [span for span in mine if span.parent is None]
        assert root.name == "payment begun"
        assert root.context is not None
        assert all(span.parent.span_id == root.context.span_id for span in mine if span.parent is not None)
        assert all(span.start_time <= span.end_time for span in mine if span.start_time and span.end_time)
        (credited,) = [span for span in mine if span.name == "credited"]
        assert credited.attributes is not None
        assert credited.attributes["kaunta.status"] == "completed"
    assert {span.context.trace_id for span in spans() if span.context} == {first.int, second.int}


async def test_no_attribute_says_who_paid_or_with_what(
    evening: Evening,
    spans: Callable[[], Sequence[ReadableSpan]],
) -> None:
    payment = await evening.pay(300)
    await evening.settle()
    view = await evening.view(payment)
    assert view.receipt is not None
    told = "\n".join(span.to_json() for span in spans())
    row = await evening.row(payment)
    for hidden in (PHONE[3:], view.receipt, evening.token(), evening.push().checkout_id, view.receipt_ref, "300"):
        assert hidden not in told.replace(str(row["id"]), "").replace(f"{payment.int:032x}", "")
    keys = {key for span in spans() for key in (span.attributes or {})}
    assert keys == {
        "kaunta.payment", "kaunta.environment", "kaunta.outcome", "kaunta.status", "kaunta.before", "kaunta.by",
        "kaunta.verdict",
    }  # fmt: skip


async def test_off_nothing_is_written_and_nothing_is_imported(evening: Evening) -> None:
    assert tracing.tracer is None
    await evening.pay(100)
    await evening.settle()
    program = "import sys, kaunta.payments.inbox; print([name for name in sys.modules if 'opentelemetry.sdk' in name])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_traces_without_the_library_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with (
        pytest.raises(tracing.TracingMissing, match=r"kaunta\[otel\]"),
        tracing.sending("http://127.0.0.1:1/v1/traces"),
    ):
        pass
    with tracing.sending(None):
        assert tracing.tracer is None


def test_an_address_makes_an_exporter_and_its_end_takes_it_away() -> None:
    url = load({"KAUNTA_TRACES_URL": "http://127.0.0.1:1/v1/traces"}).traces_url
    with tracing.sending(url):
        assert tracing.tracer is not None
    assert tracing.tracer is None


def test_a_moment_is_told_in_nanoseconds_and_a_root_has_an_id() -> None:
    assert tracing.nanoseconds(datetime(2026, 11, 21, 20, 0, 0, 5, UTC)) == 1_795_291_200_000_005_000
    assert tracing.root_of(UUID("00000000-0000-4000-8000-000000000001")) == 0x8000000000000001
