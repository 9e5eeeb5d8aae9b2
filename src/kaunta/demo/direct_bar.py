"""The check's second bar: a paybill of its own that Safaricom posts direct payments to, that may ask and reverse."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from kaunta.bars.add import add_bar
from kaunta.bars.mpesa_switch import sync_mpesa_status
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials.store import NewCredential, store
from kaunta.daraja.client import DarajaClient
from kaunta.payments import c2b_addresses, initiators, pull
from kaunta.simulator.simulator import Simulator
from kaunta.tabs import queries as tabs

SHORTCODE = "600984"


@dataclass(frozen=True, slots=True)
class DirectBar:
    """Where the direct cases play."""

    bar_id: UUID
    owner_id: UUID


async def prepare(rt: Runtime, daraja: DarajaClient, simulator: Simulator, owner_id: UUID) -> DirectBar:
    """A bar with everything registered; the stand-in's certificate lies where the settings say."""
    async with transaction(rt.db) as db:
        bar_id = await add_bar(db, rt.clock, "Kwa Otieno", slug="kwa-otieno", by="demo")
        credential = NewCredential(
            "sandbox", SHORTCODE, None, Secret("otieno-consumer-key"), Secret("otieno-consumer-secret"),
            Secret("otieno-passkey-0123456789"),
        )  # fmt: skip
        await store(db, rt, bar_id, credential, by="demo")
        await sync_mpesa_status(db, rt.clock, bar_id, True, environment="sandbox", by="demo")
        await tabs.add_menu_item(db, bar_id, "Beer", "Tusker Lager", 300, 0)
    path = rt.settings.sandbox_certificate
    if path is None:
        raise RuntimeError("the check names a certificate")
    await asyncio.to_thread(Path(path).write_bytes, simulator.initiators.certificate(simulator.clock.now()))
    await initiators.set_initiator(rt, bar_id, "sandbox", "otieno", Secret("Kaunta#2026"), by="demo")
    await c2b_addresses.register(rt, daraja, bar_id, "sandbox", by="demo")
    await pull.subscribe(rt, daraja, bar_id, "sandbox", "0700000001", by="demo")
    return DirectBar(bar_id, owner_id)
