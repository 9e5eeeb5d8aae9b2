"""Messages are durable: tried again at growing intervals, taken over from the dead, given up loudly and never silently;
and they do not go where they must not."""

import asyncio
import json
import os
import sys
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from kaunta.alerts import channels, words
from kaunta.alerts.channels import Failed, allowed
from kaunta.alerts.database_away import DatabaseWatch
from kaunta.alerts.delivering import LEASE_SECONDS, UNDELIVERABLE, deliver, try_channel
from kaunta.alerts.planning import plan
from kaunta.core.clock import ManualClock
from kaunta.core.errors import ConfigurationError
from kaunta.core.outbound import BeforeSend, Outbound, Timeouts
from kaunta.core.runtime import Runtime, running
from kaunta.settings import Missing, Mode, Settings, load
from kaunta.webhooks import endpoints
from tests.alerts.conftest import Gateway, MailServer, Trouble
from tests.crash.forks import environment
from tests.plugins.databases import Databases

#: A sender that dies between the mail server's yes and its own commit.
DIES = """
import asyncio, os
from datetime import datetime
from kaunta.alerts import channels, delivering
from kaunta.core.clock import ManualClock
from kaunta.core.runtime import running
from kaunta.settings import load

async def main():
    async with running(load(), listen=False, clock=ManualClock(datetime.fromisoformat("{now}"))) as rt:
        honest = channels.send_email
        async def send_email(*given):
            await honest(*given)
            os._exit(9)
        channels.send_email = send_email
        channels.post = lambda *given: asyncio.Event().wait()
        await delivering.deliver(rt)

asyncio.run(main())
"""


async def waiting(rt: Runtime) -> int:
    found: int = await rt.db.fetchval(
        "select count(*) from alert_messages where num_nonnulls(sent_at, dropped_at, given_up_at) = 0"
    )
    return found


@pytest.mark.failure(54)
async def test_what_is_not_taken_is_tried_again_at_growing_intervals(
    trouble: Trouble, rt: Runtime, mail: MailServer, gateway: Gateway
) -> None:
    mail.postman.answer, gateway.answer = "451 later", 503
    await trouble.opens()
    assert await trouble.turn() == 2
    assert await trouble.turn() == 0
    errors = await rt.db.fetch("select channel, last_error from alert_messages order by channel")
    assert [tuple(row) for row in errors] == [("email", "smtp_451"), ("webhook", "http_503")]
    mail.postman.answer, gateway.answer = "250 taken", 200
    assert await trouble.turn(minutes=0.4) == 0
    assert await trouble.turn(minutes=0.2) == 2
    assert (len(mail.postman.letters), await waiting(rt)) == (1, 0)
    ids = {json.loads(post.body)["id"] for post in gateway.at("/hook")}
    assert len(gateway.at("/hook")) == 2
    assert len(ids) == 1


async def test_a_channel_that_fails_is_told_over_the_others_and_given_up_loudly(
    trouble: Trouble, rt: Runtime, mail: MailServer, gateway: Gateway
) -> None:
    gateway.answer = 500
    await trouble.opens()
    for minutes in (0, 1, 2):
        await trouble.turn(minutes=minutes)
    assert await rt.db.fetchval("select subject from problems where kind = $1", UNDELIVERABLE) == "webhook"
    await trouble.turn(minutes=4)
    assert await rt.db.fetchval("select count(*) from alert_messages where given_up_at is not null") == 1
    given_up = await rt.db.fetchrow("select * from audit_events where action = 'alert.given_up'")
    assert given_up is not None
    assert given_up["detail"]["channel"] == "webhook"
    assert any("do not get through" in subject for subject in mail.postman.subjects)
    gateway.answer = 200
    await try_channel(rt, "webhook", by="operator")
    assert await rt.db.fetchval("select closed_by from problems where kind = $1", UNDELIVERABLE) == "operator"


async def test_a_sender_that_dies_after_sending_leaves_the_message_to_another(
    trouble: Trouble, rt: Runtime, settings: Settings, mail: MailServer
) -> None:
    await trouble.opens()
    await plan(rt)
    program = DIES.format(now=rt.clock.now().isoformat())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={**os.environ, **environment(settings)}
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 9
    sent = len(mail.postman.letters)
    assert sent == 1
    assert await waiting(rt) == 2
    # Within its lease nobody else sends it; after that somebody does, with the same id.
    assert await deliver(rt) == 0
    trouble.clock.advance(LEASE_SECONDS + 1)
    assert await deliver(rt) == 2
    assert await waiting(rt) == 0
    assert len({str(letter["Message-ID"]) for _, letter in mail.postman.letters}) == 1
    assert len(mail.postman.letters) == 2


async def test_a_redirect_is_not_followed(rt: Runtime, gateway: Gateway) -> None:
    gateway.answer = 307
    _, failure = await try_channel(rt, "webhook", by="operator")
    assert failure == Failed("http_307")
    assert gateway.at("/elsewhere") == []


@pytest.mark.parametrize(
    ("address", "development", "production", "with_leave"),
    [
        ("127.0.0.1", True, False, True),
        ("::1", True, False, True),
        ("::ffff:127.0.0.1", True, False, True),
        ("10.1.2.3", False, False, True),
        ("192.168.0.7", False, False, True),
        ("fd00::1", False, False, True),
        ("169.254.169.254", False, False, False),
        ("::ffff:169.254.169.254", False, False, False),
        ("0.0.0.0", False, False, True),
        ("224.0.0.1", False, False, False),
        # A gateway's addresses lead to whatever IPv4 address stands in them.
        ("64:ff9b::10.0.0.7", False, False, False),
        ("2002:0a00:0007::1", False, False, False),
        ("196.201.214.200", True, True, True),
        ("2606:4700:4700::1111", True, True, True),
    ],
)
def test_only_public_addresses_are_posted_to(
    settings: Settings, address: str, development: bool, production: bool, with_leave: bool
) -> None:
    for mode, leave, right in (
        (Mode.DEVELOPMENT, False, development),
        (Mode.PRODUCTION, False, production),
        (Mode.PRODUCTION, True, with_leave),
    ):
        given = settings.model_copy(update={"mode": mode, "alert_private_hosts": leave})
        assert allowed(given)(ip_address(address)) is right, (mode, leave)
        # Without leave a bar's webhooks go by the very same rule.
        assert leave or endpoints.allowed(given)(ip_address(address)) is right, mode


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1"])
async def test_a_host_that_leads_to_this_machine_is_not_asked(gateway: Gateway, rt: Runtime, host: str) -> None:
    production = rt.settings.model_copy(update={"mode": Mode.PRODUCTION})
    port = urlsplit(str(rt.settings.alert_webhook_url.get_secret_value())).port  # type: ignore[union-attr]
    async with Outbound(allows=allowed(production)) as outbound:
        outcome = await outbound.request("POST", f"http://{host}:{port}/hook", timeout=Timeouts(5, 5), body=b"{}")
    assert isinstance(outcome, BeforeSend)
    assert outcome.reason in ("forbidden", "dns", "bad_url")
    assert gateway.posts == []


async def test_a_wrong_mail_server_is_an_answer_and_no_secret_is_in_it(rt: Runtime, settings: Settings) -> None:
    given = settings.model_copy(update={"smtp_url": SecretStr("smtp://kaunta:hunter2secret@127.0.0.1:1")})
    message = words.trial(rt.entropy.uuid(), given.public_url)
    failure = await channels.send("email", message, given, rt.clock)
    assert failure is not None
    assert "hunter2secret" not in repr(failure) + repr(given)
    none = settings.model_copy(update={"alert_sms_url": None})
    with pytest.raises(ConfigurationError):
        await channels.send("sms", message, none, rt.clock)


def test_half_a_channel_is_refused_at_the_start() -> None:
    with pytest.raises(Missing) as refused:
        load(
            {
                "KAUNTA_SMTP_URL": "smtp://127.0.0.1:25",
                "KAUNTA_ALERT_WEBHOOK_URL": "https://hooks.bar.example/secret-path-9f2c",
                "KAUNTA_ALERT_SMS_URL": "https://sms.bar.example",
                "KAUNTA_ALERT_LEVELS": "5:email,1:sms",
            }
        )
    assert [line.partition(":")[0] for line in refused.value.lines] == [
        "KAUNTA_ALERT_LEVELS", "KAUNTA_SMTP_URL", "KAUNTA_ALERT_WEBHOOK_URL", "KAUNTA_ALERT_SMS_URL"
    ]  # fmt: skip
    assert "secret-path" not in str(refused.value)


async def test_an_absent_database_is_told_without_it_and_written_down_afterwards(
    settings: Settings, clock: ManualClock, databases: Databases, mail: MailServer, gateway: Gateway
) -> None:
    async with databases.fresh() as url:
        given = settings.model_copy(update={"database_url": SecretStr(url)})
        async with running(given, listen=False, clock=clock) as rt:
            watch = DatabaseWatch(rt)
            await watch.look()
            name = url.rpartition("/")[2]
            await databases.execute(f"alter database {name} with allow_connections false")
            await databases.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
            for seconds in (0, 30, 31, 60):
                clock.advance(seconds)
                await watch.look()
            assert mail.postman.subjects == ["[Kaunta] critical: The database cannot be reached"]
            await databases.execute(f"alter database {name} with allow_connections true")
            clock.advance(60)
            await watch.look()
            assert len(mail.postman.letters) == 2
            assert "over: The database" in mail.postman.subjects[1]
            assert [json.loads(post.body)["event"] for post in gateway.at("/hook")] == ["alert.opened", "alert.cleared"]
            row = await rt.db.fetchrow("select closed_at, close_reason, detail from problems")
            assert row is not None
            assert row["close_reason"] == "it was away for 3 min"
            # What was told already is not told again.
            await plan(rt)
            assert await deliver(rt) == 0
