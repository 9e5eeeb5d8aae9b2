"""A process dies while money comes to the till: its receipt is known, and on its tab once."""

import io
from uuid import UUID

import pytest
from pydantic import SecretStr

from kaunta.core.clock import EAT
from kaunta.payments import matching
from kaunta.payments.silence import ask_about_due
from kaunta.simulator.pushes import Payment
from kaunta.statements import importing
from tests.crash.direct.stage import SHORTCODE, DirectStage
from tests.crash.stage import Scene
from tests.statements import files
from tests.support.relay import relay


@pytest.mark.failure(48, 53)
async def test_a_confirmation_being_heard(till: DirectStage) -> None:
    async for scene in till.crashes():
        tab = await till.tab()
        payment = await till.pay_till(scene, 500, f"TAB{tab.number}")
        await scene.serve(till.simulator.settle)
        await scene.recover()
        # Told and stored, or found on the list; either way it is one credit.
        assert (await till.known(payment.receipt)).tab_id == tab.id
        assert await till.paid(tab) == 500


@pytest.mark.failure(57)
async def test_one_payment_being_told_twice(till: DirectStage) -> None:
    async for scene in till.crashes():
        tab = await till.tab()
        payment = await till.begin(scene.phone, tab)
        await scene.serve(till.simulator.settle)
        await scene.recover()
        assert await till.status(payment) == "completed"
        assert await till.paid(tab) == 500


async def test_the_list_being_read(till: DirectStage) -> None:
    async for scene in till.crashes():
        tab = await till.tab()
        till.lose("confirmation")
        payment = await till.pay_till(scene, 500, f"TAB{tab.number}")
        await till.simulator.advance(301)
        await scene.act("pull_list")
        await scene.recover()
        assert (await till.known(payment.receipt)).first_channel == "pull"
        assert await till.paid(tab) == 500


async def test_a_receipt_being_matched_by_a_person(till: DirectStage) -> None:
    async for scene in till.crashes():
        tab = await till.tab()
        receipt = await nobodys(till, scene)
        said = {"bar": str(till.bar.id), "receipt": str(receipt), "tab": str(tab.id)}
        await scene.act("match", **said)
        await scene.recover()
        assert await till.paid(tab) == (0 if scene.crashed and not await till.paid(tab) else 500)
        if not await till.paid(tab):
            await scene.again("match", **said)
        notes = "select count(*) from audit_log where action = 'receipt.matched' and object_id = $1"
        assert await till.rt.db.fetchval(notes, str(receipt)) == 1
        assert await till.paid(tab) == 500


async def nobodys(till: DirectStage, scene: Scene) -> UUID:
    """A receipt that names no tab, and is known by the list."""
    till.lose("confirmation")
    payment = await till.pay_till(scene, 500)
    await till.recover()
    return (await till.known(payment.receipt)).id


async def test_a_receipt_finding_the_payment_that_has_none(acting: DirectStage) -> None:
    await acting.registered()
    async for scene in acting.crashes():
        tab = await acting.tab()
        found = await acting.pay_till(scene, 500)
        # Its confirmation is taken by a process that lives; the push's never comes, and its callback does not either.
        async with acting.restarted() as running:
            await acting.simulator.settle()
            await running.pushes.drain()
        acting.lose("confirmation")
        payment = await acting.begin(scene.friend(7), tab, "callback_lost")
        for seconds in (31, 22):
            await acting.simulator.advance(seconds)
            assert await ask_about_due(acting.rt, acting.pushes.daraja) == 1
        assert await acting.status(payment) == "completed"
        await scene.act("find_places")
        await scene.recover()
        assert (await acting.known(found.receipt)).transaction_id == payment
        assert await acting.paid(tab) == 500


async def test_a_code_being_asked_for(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        tab = await acting.tab()
        payment = await acting.pay_till(scene, 500)
        said = {"bar": str(acting.bar.id), "code": payment.receipt}
        await scene.act("ask_for_code", **said)
        await scene.recover()
        await asked_until_known(acting, scene, payment)
        receipt = await acting.known(payment.receipt)
        await matching.match_to_tab(acting.rt, acting.bar.id, receipt.id, tab.id, by="staff:x", reason="the SMS")
        assert await acting.paid(tab) == 500


async def test_the_result_of_a_question_being_heard(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        payment = await acting.pay_till(scene, 500)
        await scene.again("ask_for_code", bar=str(acting.bar.id), code=payment.receipt)
        await scene.serve(acting.simulator.settle)
        await scene.recover()
        await asked_until_known(acting, scene, payment)
        receipt = await acting.known(payment.receipt)
        assert (receipt.first_channel, receipt.amount, receipt.ledger_id) == ("status", 500, None)


async def asked_until_known(acting: DirectStage, scene: Scene, payment: Payment) -> None:
    """Where the answer was lost, whoever asked asks again."""
    if payment.receipt not in await acting.codes():
        assert scene.crashed
        await acting.simulator.advance(181)
        await scene.again("ask_for_code", bar=str(acting.bar.id), code=payment.receipt)
        await acting.recover()


async def test_a_statement_being_imported(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        tab = await acting.tab()
        payment = await acting.pay_till(scene, 500)
        at = acting.clock.now().astimezone(EAT).replace(microsecond=0)
        details = f"Pay Bill from 25470****149 - NAME Acc. TAB{tab.number}"
        rows = [
            files.Row(payment.receipt, details, "500.00", at=at),
            files.Row(payment.receipt, "Pay Bill Charge", "", "-2.75", at=at),
        ]
        file = io.BytesIO(files.as_csv(files.portal(rows)))
        read = await importing.read_in(acting.rt, acting.bar.id, file, "day.csv", "staff:x", shortcode=SHORTCODE)
        said = {"bar": str(acting.bar.id), "statement": str(read)}
        await scene.act("import_statement", **said)
        # Whoever imported it sees no page, and presses the button again.
        await scene.again("import_statement", **said)
        await scene.recover()
        lines = "select count(*) from statement_lines where import_id = $1"
        assert await acting.rt.db.fetchval(lines, read) == 2
        assert await acting.paid(tab) == 500


@pytest.mark.failure(53)
@pytest.mark.req("PAY-7.6")
async def test_a_confirmation_while_the_database_is_away(acting: DirectStage, database_url: str) -> None:
    await acting.registered()
    async with relay(database_url) as wire:
        settings = acting.settings.model_copy(update={"database_url": SecretStr(wire.url)})
        async for scene in acting.crashes():
            tab = await acting.tab()
            payment = await acting.pay_till(scene, 500, f"TAB{tab.number}")

            async def unreachable() -> None:
                wire.cut()
                await acting.simulator.settle()

            await scene.serve(unreachable, settings)
            await wire.mend()
            message = acting.simulator.simulator.outbox.messages[f"{payment.receipt}.confirmation"]
            assert [attempt.status for attempt in message.attempts] == [None if scene.crashed else 503]
            await scene.recover()
            # Nothing but the file can know it: it was on the disk, or nobody was told that it is.
            assert await acting.paid(tab) == 500 or scene.crashed
        assert [step.what for step in acting.steps] == ["file fsync", "file rename", "file fsync"]
