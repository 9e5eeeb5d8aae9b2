"""People are told once, further while nobody is at it, and again when it is over: over real servers."""

import asyncio
import hashlib
import hmac
import json

import pytest

from kaunta.alerts import delivering
from kaunta.alerts.planning import plan
from kaunta.alerts.taking_up import acknowledge_as_operator
from kaunta.core.db import transaction
from kaunta.core.problems import Severity
from kaunta.core.runtime import Runtime, running
from kaunta.settings import Settings
from tests.alerts.conftest import SECRET, TOKEN, Gateway, MailServer, Trouble
from tests.support.bars import SeededBar

PHONE = "254708374149"


@pytest.mark.req("FIX-6.4", "PAY-7.6")
@pytest.mark.failure(54)
async def test_a_grave_problem_is_told_at_once_and_once(trouble: Trouble, mail: MailServer, gateway: Gateway) -> None:
    await trouble.opens(sentence="Every credit has its receipt")
    for _ in range(3):
        await trouble.turn()
    (to, letter), (hook,) = mail.postman.letters[0], gateway.at("/hook")
    assert len(mail.postman.letters) == 1
    assert to == ["first@bar.example"]
    assert letter["Subject"] == "[Kaunta] critical: What must always be true of the money is not"
    text = letter.get_content()  # type: ignore[attr-defined]
    assert "Every credit has its receipt" in text
    assert "/staff/help/invariant" in text
    told = json.loads(hook.body)
    assert (told["event"], told["alerts"][0]["kind"], told["severity"]) == ("alert.opened", "invariant", "critical")
    assert hook.headers["kaunta-delivery"] == told["id"]
    assert gateway.at("/sms") == []


async def test_a_webhook_is_signed_over_its_time_and_body(trouble: Trouble, gateway: Gateway) -> None:
    await trouble.opens()
    await trouble.turn()
    (hook,) = gateway.at("/hook")
    parts = dict(part.split("=") for part in hook.headers["kaunta-signature"].split(","))
    assert int(parts["t"]) == int(trouble.clock.now().timestamp())
    right = hmac.new(SECRET.encode(), f"{parts['t']}.".encode() + hook.body, hashlib.sha256).hexdigest()
    assert parts["v1"] == right


@pytest.mark.req("FIX-6.4")
async def test_what_nobody_takes_up_goes_further(trouble: Trouble, mail: MailServer, gateway: Gateway) -> None:
    await trouble.opens()
    await trouble.turn()
    await trouble.turn(minutes=14)
    assert gateway.at("/sms") == []
    await trouble.turn(minutes=2)
    await trouble.turn(minutes=120)
    to, letter = mail.postman.letters[-1]
    assert len(mail.postman.letters) == 2
    assert sorted(to) == ["boss@bar.example", "first@bar.example"]
    assert "still open" in str(letter["Subject"])
    (sms,) = gateway.at("/sms")
    body = json.loads(sms.body)
    assert body["to"] == ["+254700000000", "+254700000001"]
    assert len(body["message"]) <= 160
    assert sms.headers["authorization"] == f"Bearer {TOKEN}"
    assert sms.headers["idempotency-key"] == body["id"]


async def test_who_takes_it_up_ends_the_reminders(trouble: Trouble, rt: Runtime, gateway: Gateway) -> None:
    await trouble.opens()
    await trouble.turn()
    id_ = await rt.db.fetchval("select id from problems")
    async with transaction(rt.db) as db:
        assert await acknowledge_as_operator(db, rt.clock, id_)
        assert not await acknowledge_as_operator(db, rt.clock, id_)
    await trouble.turn(minutes=60)
    assert gateway.at("/sms") == []


async def test_who_was_told_of_it_is_told_of_its_end(trouble: Trouble, mail: MailServer, gateway: Gateway) -> None:
    await trouble.opens()
    await trouble.turn()
    await trouble.closes()
    await trouble.turn(minutes=5)
    assert len(mail.postman.letters) == 1
    await trouble.turn(minutes=6)
    await trouble.turn(minutes=60)
    assert len(mail.postman.letters) == 2
    assert mail.postman.subjects[-1].startswith("[Kaunta] critical: over: ")
    assert [json.loads(post.body)["event"] for post in gateway.at("/hook")] == ["alert.opened", "alert.cleared"]
    assert gateway.at("/sms") == []


async def test_what_closes_and_opens_in_turn_is_one_alert(trouble: Trouble, rt: Runtime, mail: MailServer) -> None:
    await trouble.opens()
    await trouble.turn()
    async with transaction(rt.db) as db:
        await acknowledge_as_operator(db, rt.clock, await rt.db.fetchval("select id from problems"))
    for _ in range(30):
        await trouble.closes()
        await trouble.turn(minutes=1)
        await trouble.opens()
        await trouble.turn(minutes=1)
    assert len(mail.postman.letters) == 1
    # Whoever was at it is at it still, and the alert says how often it came.
    assert await rt.db.fetchval("select acknowledged_by from problems where closed_at is null") == "operator"
    assert await rt.db.fetchval("select problems from alerts") == 31
    await trouble.closes()
    await trouble.turn(minutes=11)
    assert "31 times" in mail.postman.letters[-1][1].get_content()  # type: ignore[attr-defined]


async def test_one_cause_at_every_bar_is_one_message(trouble: Trouble, rt: Runtime, mail: MailServer) -> None:
    for number in range(50):
        await trouble.opens("credentials_unreadable", f"bar {number}")
    await trouble.turn()
    await trouble.opens("credentials_unreadable", "a bar that was found a moment later")
    await trouble.turn(minutes=1)
    assert len(mail.postman.letters) == 1
    assert "(50 times)" in mail.postman.subjects[0]
    assert "… and 30 more." in mail.postman.letters[0][1].get_content()  # type: ignore[attr-defined]
    await trouble.turn(minutes=5)
    assert len(mail.postman.letters) == 2


@pytest.mark.parametrize(("hour", "waits"), [(18, False), (23, True)])
async def test_small_alerts_come_as_a_digest_and_wait_for_the_morning(
    trouble: Trouble, rt: Runtime, mail: MailServer, hour: int, waits: bool
) -> None:
    # 18:00 and 23:00 UTC are 21:00 and 02:00 in Nairobi: an evening, and the first quiet hour.
    now = trouble.clock.now()
    trouble.clock.advance((now.replace(hour=hour, minute=0) - now).total_seconds())
    await trouble.opens("late", "one", Severity.WARNING)
    await trouble.opens("certificate_expiring", "two", Severity.WARNING)
    await trouble.turn()
    await trouble.opens("late", "three", Severity.INFO)
    await trouble.turn(minutes=10)
    assert len(mail.postman.letters) == (0 if waits else 1)
    await trouble.turn(minutes=13 * 60)
    subjects = mail.postman.subjects
    assert subjects[0] == f"[Kaunta] warning: digest: {3 if waits else 2} things to look at"
    assert len(subjects) == (1 if waits else 2)
    await trouble.closes("late", "one")
    await trouble.turn(minutes=70)
    assert len(mail.postman.letters) == len(subjects) + 1
    assert " to " in mail.postman.letters[-1][1].get_content()  # type: ignore[attr-defined]


async def test_what_came_and_went_unseen_is_told_to_nobody(trouble: Trouble, mail: MailServer) -> None:
    mail.postman.answer = "451 later"
    await trouble.opens()
    await trouble.turn()
    await trouble.closes()
    mail.postman.answer = "250 taken"
    await trouble.opens("late", "small", Severity.WARNING)
    await trouble.closes("late", "small")
    await trouble.turn(minutes=11)
    # The try before may have got through, so its end is told; the opening itself is overtaken.
    assert [subject.split(": ")[1] for subject in mail.postman.subjects] == ["over"]


@pytest.mark.req("FIX-6.4")
async def test_messages_say_no_phone_and_no_secret(trouble: Trouble, mail: MailServer, gateway: Gateway) -> None:
    await trouble.opens(reason=f"refused for {PHONE} and 0708 374 149", secret="sk-1234567890", consumer_key="abcdef")
    await trouble.turn()
    await trouble.turn(minutes=16)
    said = b" ".join(post.body for post in gateway.posts).decode() + mail.postman.letters[0][1].as_string()
    assert "refused for" in said
    for hidden in (PHONE, "708374149", "0708 374 149", "sk-1234567890", "abcdef"):
        assert hidden not in said


async def test_without_a_channel_nothing_counts_as_told(
    settings: Settings, trouble: Trouble, rt: Runtime, mail: MailServer, clock: object
) -> None:
    bare = settings.model_copy(update={"smtp_url": None, "alert_webhook_url": None, "alert_sms_url": None})
    async with running(bare, listen=False, clock=rt.clock) as quiet:
        await trouble.opens()
        await plan(quiet)
        assert await delivering.deliver(quiet) == 0
    assert await rt.db.fetchval("select told_level from alerts") == 0
    await trouble.turn()
    assert len(mail.postman.letters) == 1


async def test_two_workers_plan_and_send_each_message_once(trouble: Trouble, rt: Runtime, mail: MailServer) -> None:
    for number in range(5):
        await trouble.opens(f"kind_{number}")
    await asyncio.gather(*(plan(rt) for _ in range(4)))
    await asyncio.gather(*(delivering.deliver(rt) for _ in range(4)))
    assert sorted(mail.postman.subjects) == sorted(f"[Kaunta] critical: Kind {number}" for number in range(5))


async def test_a_bars_name_does_not_break_a_header(
    trouble: Trouble, rt: Runtime, bar: SeededBar, mail: MailServer
) -> None:
    await rt.db.execute("update bars set name = $2 where id = $1", bar.id, "Njeri\r\nBcc: x@evil.example")
    await rt.db.execute(
        "insert into problems (bar_id, kind, subject, severity, opened_at) values ($1, $2, 'x', 'error', $3)",
        bar.id, "push_refused", rt.clock.now(),
    )  # fmt: skip
    await trouble.turn()
    to, letter = mail.postman.letters[0]
    assert to == ["first@bar.example"]
    assert letter["Bcc"] is None
