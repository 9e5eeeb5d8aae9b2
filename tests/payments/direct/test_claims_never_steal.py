"""A typed code that belongs to another guest's payment never blocks it and never steals it, in any order of arrival."""

import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kaunta.core.errors import KauntaError
from kaunta.daraja.requests import timestamp
from kaunta.payments import matching
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.states import Status
from kaunta.payments.typed_codes import claim_code
from kaunta.simulator.catalogue import CATALOGUE
from tests.payments.conftest import Said
from tests.plugins.prove import Proof
from tests.support.bars import OpenTab

from .conftest import SHORTCODE, DirectMoney

NewTab = Callable[[int], Awaitable[OpenTab]]
#: What may happen to one receipt, in any order: three proofs that name nobody or its payment, three wrong words.
ACTS = ("callback", "confirmation", "listed", "typed", "resolved", "matched")
SILENT = replace(CATALOGUE["paid"], callbacks=())


@pytest.mark.req("PAY-2.3")
@pytest.mark.failure(57)
async def test_in_any_order(told: DirectMoney, new_tab: NewTab) -> None:
    orders = list(itertools.permutations(ACTS))
    for number, order in enumerate(orders[:: len(orders) // 24]):
        await one_order(told, new_tab, order, number)


@pytest.mark.prove
async def test_in_every_order(told: DirectMoney, new_tab: NewTab, proof: Proof) -> None:
    orders = list(itertools.permutations(ACTS))
    for number, order in enumerate(orders):
        await one_order(told, new_tab, order, number)
    proof("orders in which a typed code came with the proofs of its receipt", len(orders))


async def one_order(told: DirectMoney, new_tab: NewTab, order: tuple[str, ...], number: int) -> None:
    evening = told.evening
    rt = evening.rt
    told.lose("confirmation")
    # An amount of its own: no other round's payment fits it.
    amount = 100 + number
    theirs, wrong_tab = await new_tab(amount), await new_tab(amount)
    true_phone, wrong_phone = f"25470010{number:04d}", f"25470020{number:04d}"
    true_id = await evening.pay(amount, tab=theirs, phone=true_phone, scenario=SILENT)
    await evening.wait(10)
    code = next(each for each in told.ledger if each.phone == true_phone).receipt
    at = next(each for each in told.ledger if each.phone == true_phone).at
    body, token = Said(evening).paid(code, amount), evening.token()
    wrong_id = await evening.pay(amount, tab=wrong_tab, phone=wrong_phone, scenario="unreachable")

    async def callback() -> None:
        await evening.hear(body, token)

    async def confirmation() -> None:
        # A till's: it carries no reference.
        await told.hear(told.confirmation(code, f"{amount}.00", TransTime=timestamp(at)))

    async def listed() -> None:
        await sighted(rt, Sighting(evening.bar.id, "sandbox", SHORTCODE, code, amount, "statement", at))

    async def typed() -> None:
        await claim_code(rt, wrong_tab.ref, code, wrong_id)

    async def resolved() -> None:
        await resolve(rt, wrong_id, Resolution(True, "they say so", "an SMS", "staff:x", code))

    async def matched() -> None:
        if (receipt := await told.receipt(code)) is not None:
            await matching.match_to_tab(
                rt, evening.bar.id, receipt.id, wrong_tab.id, by="staff:x", reason="they say so"
            )

    every = (callback, confirmation, listed, typed, resolved, matched)
    for act in order:
        # A word that comes too late is refused; that is what must happen.
        with contextlib.suppress(KauntaError):
            await every[ACTS.index(act)]()
    view = await evening.view(true_id)
    assert (view.status, view.receipt) == (Status.COMPLETED, code), order
    assert (await evening.tab(theirs)).paid == amount, order
    assert (await evening.tab(wrong_tab)).paid == 0, order
    assert await evening.broken() == set(), order
