"""`kaunta alerts`: what is open anywhere, who is at it, and whether messages get through."""

from kaunta.core.runtime import Runtime
from kaunta.settings import Settings
from tests.alerts.conftest import Gateway, MailServer, Trouble
from tests.cli.conftest import Kaunta, installed
from tests.support.bars import SeededBar

__all__ = ["installed"]


async def test_alerts_are_listed_and_taken_up(
    installed: Kaunta, trouble: Trouble, rt: Runtime, bar: SeededBar, mail: MailServer
) -> None:
    assert (await installed("alerts", "list")).out == "Nothing is open.\n"
    await trouble.opens()
    await trouble.turn()
    said = await installed("alerts", "list", "--json")
    (row,) = said.json["data"]
    assert (said.code, row["kind"], row["bar"], row["told_level"]) == (3, "invariant", None, 1)
    assert row["messages"] == {"sent": 2, "waiting": 0, "given_up": 0}
    tried = await installed("alerts", "ack", row["id"], "--dry-run")
    assert (tried.code, tried.out) == (0, "would take it up\n")
    for answer in ("taken up\n", "it was taken up already\n"):
        assert (await installed("alerts", "ack", row["id"])).out == answer
    assert "taken up by operator" in (await installed("alerts", "list")).out
    assert await rt.db.fetchval("select count(*) from audit_events where action = 'alert.acknowledged'") == 1
    assert (await installed("alerts", "ack", str(bar.id))).code == 5


async def test_a_channel_is_tried(
    installed: Kaunta, settings: Settings, rt: Runtime, mail: MailServer, gateway: Gateway
) -> None:
    assert (await installed("alerts", "test", "email", "--dry-run")).code == 0
    assert mail.postman.letters == []
    assert (await installed("alerts", "test", "email")).code == 0
    assert mail.postman.subjects == ["[Kaunta] test: nothing is wrong"]
    gateway.answer = 401
    said = await installed("alerts", "test", "sms")
    assert (said.code, said.err) == (8, "The test by sms was not taken (http_401).\n")
    assert (await installed("alerts", "test", "pigeon")).code == 2
    assert (await installed("alerts", "test", "webhook", KAUNTA_ALERT_WEBHOOK_URL=None)).code == 6
    outcomes = await rt.db.fetch(
        "select object_id, outcome from audit_events where action = 'alert.tested' order by id"
    )
    assert [tuple(row) for row in outcomes] == [("email", "ok"), ("sms", "failed")]
