"""The whole readiness list, put together: the diagnosis, the installation, every bar that takes real money.

Nothing here moves money: of Safaricom nothing is asked but access tokens. With `tests` the connection test of each
such bar is run and kept with its credentials' version, as from the counter.
"""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

import asyncpg

from kaunta.bars.connection import Step, check_connection
from kaunta.bars.mpesa_wanted import Wanted
from kaunta.bars.readiness import items as of_bars
from kaunta.bars.readiness.checklist import checklist
from kaunta.bars.readiness.items import Finding
from kaunta.core.db import TRANSIENT_ERRORS
from kaunta.core.errors import KauntaError, NotFound
from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime, running
from kaunta.daraja.client import DarajaClient
from kaunta.deploy import house, public_address, queries
from kaunta.deploy.readiness import Item, Look, Scene, State, from_diagnosis, look_at_all, looked_at, not_looked_at
from kaunta.diagnostics.findings import Report
from kaunta.settings import Missing, load

LOOKS: tuple[Look, ...] = (*public_address.LOOKS, *house.LOOKS)
#: What a bar's list waits for, and which of the installation's items knows it.
HOUSE_ITEMS = {
    "certificate": "public.certificate",
    "backup": "backups.age",
    "restore": "backups.restored",
    "alert_channel": "alerts.told",
    "limits": "house.limits",
}
MOST_BARS = 1_000


async def check(
    report: Report, given: Mapping[str, str], outbound: Outbound, daraja: DarajaClient, *, bar: str | None, tests: bool
) -> list[Item]:
    """Every item, the diagnosis's first. `bar`: of the bars only that one. Raises `NotFound` for one that is not."""
    items = from_diagnosis(report)
    async with AsyncExitStack() as stack:
        try:
            rt = await stack.enter_async_context(
                running(load(given, needs=("mode", "database_url", "keys")), listen=False)
            )
            db = await stack.enter_async_context(rt.db.acquire())
            bars = await queries.live_bars(db, MOST_BARS)
        except (Missing, KauntaError, asyncpg.PostgresError, *TRANSIENT_ERRORS):
            cause = next((one.check for one in report.problems if one.severity.stops), "db.connection")
            return [*items, *not_looked_at(LOOKS, cause)]
        items += await look_at_all(Scene(rt, db, outbound), LOOKS)
        if bar is not None:
            bars = [one for one in bars if one.slug == bar]
            if not bars:
                raise NotFound(f"{bar} is no bar that takes real money or has production credentials.")
        for one in bars:
            if tests:
                items.append(await tested(rt, daraja, one))
            house_knows = {item.name: Finding(item.state is State.READY, item.evidence) for item in items}
            of_the_house = {name: house_knows[of] for name, of in HOUSE_ITEMS.items()}
            items += of_bar(one.slug, (await checklist(rt, one.id, of_the_house)).items)
        if not bars:
            items.append(
                Item(
                    "bars", "A bar takes real money", State.NOT_READY,
                    "No bar has production credentials.", "Enter them at the counter: Settings, M-Pesa.",
                )
            )  # fmt: skip
    return items


async def tested(rt: Runtime, daraja: DarajaClient, bar: queries.LiveBar) -> Item:
    """A bar's connection test with its stored production credentials."""
    title = "A connection test with the stored production credentials, just now"
    try:
        steps = await check_connection(
            rt, daraja, bar.id, Wanted(enabled=True, environment="production"), by="operator"
        )
    except (KauntaError, asyncpg.PostgresError, *TRANSIENT_ERRORS) as error:
        return Item(
            "connection", title, State.NOT_LOOKED_AT, f"It could not be made ({type(error).__name__}).", bar=bar.slug
        )
    failed = [step for step in steps if not step.ok and step.essential]
    return Item(
        "connection", title, State.NOT_READY if failed else State.READY, told(failed or steps),
        " ".join(step.fix for step in failed), bar=bar.slug,
    )  # fmt: skip


def told(steps: Iterable[Step]) -> str:
    return " ".join(step.detail for step in steps)


def of_bar(slug: str, found: Iterable[of_bars.Item]) -> list[Item]:
    """A bar's own list, as lines of this one."""
    return [
        Item(
            one.name, one.title, State.READY if one.state is of_bars.State.READY else State.NOT_READY, one.evidence,
            one.fix, one.required, slug,
        )
        for one in found
    ]  # fmt: skip


async def known_to_the_house(rt: Runtime) -> dict[str, Finding]:
    """What the bars' lists say of the whole house, looked at now; by the names that those lists have for it."""
    looks = {look.name: look for look in (*LOOKS, house.BACKUP_AGE)}
    async with rt.db.acquire() as db, Outbound() as outbound:
        scene = Scene(rt, db, outbound)
        items = {name: await looked_at(scene, looks[of]) for name, of in HOUSE_ITEMS.items()}
    return {name: Finding(item.state is State.READY, item.evidence) for name, item in items.items()}
