"""`kaunta payment` and `kaunta reconcile`: look at payments, ask Safaricom, decide what it will not say."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from kaunta.cli.output import Exit, answer, refuse, run, settings

if TYPE_CHECKING:
    from kaunta.core.runtime import Runtime
    from kaunta.daraja.client import DarajaClient
    from kaunta.payments.views import PaymentView

app = typer.Typer(help="Payments: look, ask Safaricom, decide.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Ref = Annotated[str, typer.Argument(help="The payment's id, or its reference like TB-7F3K9 with --bar.")]
Bar = Annotated[str | None, typer.Option(help="The bar's short name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with."""

    rt: "Runtime"
    daraja: "DarajaClient"


@asynccontextmanager
async def desk(as_json: bool) -> AsyncIterator[Desk]:
    from kaunta.app import daraja_client
    from kaunta.core.outbound import Outbound
    from kaunta.core.runtime import running

    found = settings("database_url", "keys", as_json=as_json)
    async with running(found, listen=False) as rt, Outbound() as outbound:
        client = daraja_client(found, outbound, rt.clock)
        try:
            yield Desk(rt, client)
        finally:
            await client.close()


def at_desk(work: "Callable[[Desk], Awaitable[Any]]", *, as_json: bool) -> Any:
    async def begin() -> Any:
        async with desk(as_json) as at:
            return await work(at)

    return run(begin, as_json=as_json)


async def bar_id_of(at: Desk, slug: str) -> UUID:
    from kaunta.bars.queries import bar_by_slug
    from kaunta.core.errors import NotFound

    async with at.rt.db.acquire() as db:
        bar = await bar_by_slug(db, slug)
    if bar is None:
        raise NotFound(f"There is no bar {slug}. `kaunta bar list` shows them.")
    return bar.id


async def named(at: Desk, ref: str, bar: str | None) -> "PaymentView":
    """The payment an id, or a bar and a reference, name."""
    from kaunta.core.errors import BadRequest
    from kaunta.payments import views
    from kaunta.payments.errors import PaymentNotFound

    try:
        found = await views.payment(at.rt, UUID(ref))
    except ValueError:
        if bar is None:
            raise BadRequest("A reference belongs to a bar: say which with --bar, or give the payment's id.") from None
        found = await views.payment_by_reference(at.rt, await bar_id_of(at, bar), ref)
    if found is None:
        raise PaymentNotFound
    return found


def as_data(payment: "PaymentView") -> dict[str, Any]:
    """A payment for programs: nothing that must not be shown is in a `PaymentView`."""
    return {
        "id": str(payment.id), "reference": payment.reference, "bar": payment.bar_slug, "status": payment.status.value,
        "irregularities": list(payment.irregularities), "amount": payment.amount, "received": payment.received,
        "phone": payment.phone_masked, "receipt": payment.receipt, "class": payment.result_class,
        "environment": payment.environment, "created_at": payment.created_at.isoformat(),
    }  # fmt: skip


def line(payment: "PaymentView") -> str:
    from kaunta.core.clock import EAT
    from kaunta.core.money import kes

    at = payment.created_at.astimezone(EAT).strftime("%d %b %H:%M")
    flags = ",".join(payment.irregularities)
    return (
        f"{at}  {payment.reference:<9}{payment.status.value:<10}{kes(payment.amount):>12}  {payment.phone_masked}"
        f"  {payment.receipt or '-':<11}{flags}"
    )


@app.command("list")
def list_payments(
    bar: Annotated[str, typer.Option(help="The bar's short name.")],
    status: Annotated[list[str] | None, typer.Option(help="Only these states; may be given several times.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
    json: Json = False,
) -> None:
    """A bar's newest payments."""
    from kaunta.payments import views

    unknown = set(status or ()) - set(views.EVERY_STATUS)
    if unknown:
        refuse(Exit.USAGE, f"--status: one of {', '.join(views.EVERY_STATUS)}.", as_json=json)

    async def work(at: Desk) -> "list[PaymentView]":
        bar_id = await bar_id_of(at, bar)
        return await views.page_of_bar(at.rt, bar_id, list(status or views.EVERY_STATUS), views.NEWEST, limit)

    found = at_desk(work, as_json=json)
    answer([as_data(payment) for payment in found], as_json=json, lines=[line(payment) for payment in found])


@app.command()
def show(ref: Ref, bar: Bar = None, json: Json = False) -> None:
    """One payment with everything that happened to it."""

    async def work(at: Desk) -> Any:
        from kaunta.payments import timeline

        payment = await named(at, ref, bar)
        return payment, await timeline.of_payment(at.rt, payment.id)

    payment, moments = at_desk(work, as_json=json)
    answer(
        as_data(payment) | {"timeline": [asdict(moment) for moment in moments]},
        as_json=json,
        lines=[line(payment), *(f"  {m.at:%H:%M:%S.%f}  {m.actor:<10} {m.text}" for m in moments)],
    )


@app.command()
def check(ref: Ref, bar: Bar = None, dry_run: DryRun = False, json: Json = False) -> None:
    """Ask Safaricom about a payment now."""

    async def work(at: Desk) -> Any:
        from kaunta.payments.reconcile import check_now

        payment = await named(at, ref, bar)
        if not dry_run:
            await check_now(at.rt, at.daraja, payment.id)
        return payment, await named(at, str(payment.id), None)

    before, after = at_desk(work, as_json=json)
    answer(
        {"before": before.status.value, "after": after.status.value, "payment": as_data(after), "dry_run": dry_run},
        as_json=json,
        lines=[f"was {before.status.value}, is {after.status.value}", line(after)],
    )


@app.command()
def resolve(
    ref: Ref,
    reason: Annotated[str, typer.Option(help="Why a person has to decide.")],
    evidence: Annotated[str, typer.Option(help="What you saw: the till's message, the statement, the guest's SMS.")],
    paid: Annotated[bool | None, typer.Option("--paid/--not-paid", help="How it ended.")] = None,
    receipt: Annotated[str | None, typer.Option(help="The M-Pesa code, where you have it.")] = None,
    by: Annotated[str, typer.Option(help="Your name, for the audit log.")] = "operator",
    bar: Bar = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Decide a payment that Safaricom will not tell about. Audited; a later proof from Safaricom stands above it."""
    if paid is None:
        refuse(Exit.USAGE, "Say how it ended: --paid or --not-paid.", as_json=json)

    async def work(at: Desk) -> "PaymentView":
        from kaunta.payments import resolve as decisions

        payment = await named(at, ref, bar)
        decision = decisions.Resolution(
            paid=paid,
            reason=reason,
            evidence=evidence,
            by=f"operator:{by}",
            receipt=receipt.upper() if receipt else None,
        )
        decisions.check(decision)
        if not dry_run:
            await decisions.resolve(at.rt, payment.id, decision)
        return await named(at, str(payment.id), None)

    payment = at_desk(work, as_json=json)
    answer(as_data(payment) | {"dry_run": dry_run}, as_json=json, lines=[line(payment)])


def reconcile(
    since_hours: Annotated[float, typer.Option(min=0.1, max=24 * 60, help="How far back to look.")] = 24,
    bar: Bar = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Ask Safaricom about every payment that has no end yet. Exit 3 while some still have none."""

    async def work(at: Desk) -> Any:
        from kaunta.payments.reconcile import reconcile as ask_all

        bar_id = await bar_id_of(at, bar) if bar else None
        since = at.rt.clock.now() - timedelta(hours=since_hours)
        return await ask_all(at.rt, at.daraja, since=since, bar_id=bar_id, dry_run=dry_run)

    results = at_desk(work, as_json=json)
    left = [result for result in results if result.after in ("pending", "sent", "timeout")]
    answer(
        {
            "asked": 0 if dry_run else len(results),
            "settled": len(results) - len(left),
            "left": len(left),
            "payments": [
                {"id": str(r.transaction_id), "before": r.before.value, "after": r.after.value} for r in results
            ],
            "dry_run": dry_run,
        },
        as_json=json,
        ok=not left,
        lines=[
            *(f"{r.transaction_id}  {r.before.value} → {r.after.value}" for r in results),
            f"{len(results)} without an end, {len(left)} left",
        ],
    )
    raise typer.Exit(Exit.FOUND_PROBLEMS if left else Exit.OK)
