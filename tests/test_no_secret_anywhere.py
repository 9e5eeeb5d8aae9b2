"""A sweep over everything that Kaunta says: no command, page, answer or log line shows a part of a secret.

The secrets are random, so that six characters of one stand in no output by chance. What people must see once and
never again (a new key, a new password, a table's code) is not among them: it is new in the very moment it is shown.
"""

import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from kaunta.core.db import transaction
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import generate_entry
from kaunta.credentials import store
from kaunta.credentials.store import NewCredential
from kaunta.payments.initiators import set_initiator
from kaunta.settings import Settings
from kaunta.webhooks import endpoints
from tests.cli.conftest import Kaunta
from tests.commands import CALLS, SERVING, commands, knows_json
from tests.crash.forks import environment
from tests.doors import TRIES, Try
from tests.statements.files import Row, as_csv, portal
from tests.support.bars import SeededBar
from tests.test_every_door import ids  # noqa: F401 - a fixture

#: So many characters of a secret are as good as shown.
FRAGMENT = 6
#: A phone is shown with its middle struck out: nine digits of it may stand nowhere.
PHONES = ("254708374149", "0708374149", "708374149")
#: How a message tells which number the sandbox takes: Safaricom's own, and published. And Daraja's id of a push, which
#: ends with the number: the contract gives it back to whoever just sent the number.
ALLOWED = re.compile(r"like 254708374149|\"checkoutRequestId\":\"ws_CO_\d+\"")
#: The commands whose refusal is looked at in the ordinary run.
FEW = ("payment list", "db status", "keys list", "sync check", "diagnose", "creds reencrypt", "worker", "backup list")


def parts(secrets: Iterable[str]) -> dict[str, str]:
    """Each fragment with the secret's name."""
    return {
        secret[at : at + FRAGMENT]: f"secret {number}"
        for number, secret in enumerate(secrets)
        for at in range(len(secret) - FRAGMENT + 1)
    }


@dataclass
class Sweep:
    """What must not be seen, and a look at whatever is said."""

    fragments: dict[str, str]
    looked: int = 0
    found: list[str] = field(default_factory=list)

    def look(self, where: str, said: str) -> None:
        self.looked += 1
        self.found += [f"{where}: {name}" for part, name in self.fragments.items() if part in said]
        said = ALLOWED.sub("", said)
        self.found += [f"{where}: a phone" for phone in PHONES if phone in said]


@dataclass(frozen=True, slots=True)
class Secrets:
    """The installation's, by variable, and those that are stored."""

    environment: dict[str, str]
    stored: list[str]
    webhook: str

    def all(self) -> list[str]:
        said = self.environment
        keys = [said[name].partition(":")[2] for name in ("KAUNTA_KEYS", "KAUNTA_RECOVERY_KEY")]
        password = said["KAUNTA_DATABASE_URL"].partition("postgres:")[2].partition("@")[0]
        others = [said[name] for name in ("KAUNTA_SEAL_KEY", "KAUNTA_ALERT_WEBHOOK_SECRET", "KAUNTA_ALERT_SMS_TOKEN")]
        return [*keys, password, *others, *self.stored]


@pytest_asyncio.fixture
async def secrets(settings: Settings, rt: Runtime, bar: SeededBar) -> Secrets:
    """A bar's credentials and initiator, and an installation with everything that a setting can hide."""
    entropy = Entropy()
    stored = [entropy.speakable(40) for _ in range(4)]
    async with transaction(rt.db) as db:
        new = NewCredential("sandbox", "174379", None, *(Secret(secret) for secret in stored[:3]))
        await store.store(db, rt, bar.id, new, by="test")
    await set_initiator(rt, bar.id, "sandbox", "barapi", Secret(stored[3]), by="test")
    token = entropy.speakable(40)
    webhook = await endpoints.add(rt, bar.id, f"http://127.0.0.1:9/hook?token={token}", by="test")
    stored += [token, webhook.secret.reveal().removeprefix("whsec_").rstrip("=")]
    told = environment(settings) | {
        "KAUNTA_RECOVERY_KEY": generate_entry(entropy, "r1"),
        "KAUNTA_SEAL_KEY": generate_entry(entropy, "s1").partition(":")[2],
        "KAUNTA_ALERT_WEBHOOK_URL": "http://127.0.0.1:9/hook",
        "KAUNTA_ALERT_WEBHOOK_SECRET": entropy.speakable(40),
        "KAUNTA_ALERT_SMS_URL": "http://127.0.0.1:9/sms",
        "KAUNTA_ALERT_SMS_TOKEN": entropy.speakable(40),
    }
    return Secrets(told, stored, str(webhook.id))


@pytest_asyncio.fixture
async def sweep(secrets: Secrets) -> AsyncIterator[Sweep]:
    found = Sweep(parts(secrets.all()))
    yield found
    assert found.looked > 0
    assert not found.found, "\n".join(sorted(set(found.found)))


@pytest.fixture
def names(ids: dict[str, str], bar: SeededBar, tmp_path: Path, secrets: Secrets) -> dict[str, str]:  # noqa: F811
    """What the calls of tests/commands.py name."""
    statement, script, env = tmp_path / "list.csv", tmp_path / "evening.yaml", tmp_path / "its.env"
    statement.write_bytes(as_csv(portal([Row("SKK9Z9Z9Z9", paid_in="50.00")])))
    script.write_text("steps: []\n")
    env.write_text("".join(f"{name}={value}\n" for name, value in secrets.environment.items()))
    files = {"folder": str(tmp_path), "statement": str(statement), "script": str(script), "env": str(env)}
    return ids | files | {"bar": bar.slug, "tab": "1", "webhook": secrets.webhook}


def test_every_command_is_called_here() -> None:
    assert set(commands()) == set(CALLS) | SERVING


async def test_no_command_shows_a_secret(
    sweep: Sweep, secrets: Secrets, names: dict[str, str], full_numbers: bool
) -> None:
    kaunta = Kaunta(secrets.environment)
    for number, (name, arguments) in enumerate(CALLS.items()):
        words = [*name.split(), *(each.format(**names) for each in arguments)]
        for as_json in (False, True) if full_numbers else (number % 2 == 0,):
            said = await kaunta(*words, *(["--json"] if as_json and knows_json(name) else []))
            sweep.look(f"kaunta {name}", said.out + said.err)


async def test_no_refusal_shows_a_secret(
    sweep: Sweep, secrets: Secrets, names: dict[str, str], full_numbers: bool
) -> None:
    """With each variable spoilt in turn, in ways that parsers like to quote."""
    told = secrets.environment
    kaunta = Kaunta(told)
    key = told["KAUNTA_KEYS"]
    spoilt = [
        {"KAUNTA_KEYS": key[:-9]}, {"KAUNTA_KEYS": key.partition(":")[2]}, {"KAUNTA_KEYS": f'{{"k1": "{key}"}}'},
        {"KAUNTA_KEYS": generate_entry(Entropy(), "test")}, {"KAUNTA_RECOVERY_KEY": told["KAUNTA_RECOVERY_KEY"][3:]},
        {"KAUNTA_SEAL_KEY": told["KAUNTA_SEAL_KEY"][:-7]},
        {"KAUNTA_DATABASE_URL": told["KAUNTA_DATABASE_URL"].replace("postgres:", "nobody:")},
        {"KAUNTA_DATABASE_URL": told["KAUNTA_DATABASE_URL"].replace("postgresql", "mysql")},
        {"KAUNTA_DATABASE_URL": told["KAUNTA_DATABASE_URL"].replace("@127.0.0.1:", "@127.0.0.1:x")},
    ]  # fmt: skip
    for number, (name, arguments) in enumerate(CALLS.items()):
        if name not in FEW and not full_numbers:
            continue
        words = [*name.split(), *(each.format(**names) for each in arguments)]
        # All of them with the commands that read most; of the others' each third, another with each command.
        for wrong in spoilt if name in FEW else spoilt[number % 3 :: 3]:
            said = await kaunta(*words, **wrong)
            sweep.look(f"kaunta {name} with another {next(iter(wrong))}", said.out + said.err)


async def test_no_page_answer_or_log_shows_a_secret(
    sweep: Sweep,
    http: aiohttp.ClientSession,
    ids: dict[str, str],  # noqa: F811
    bar: SeededBar,
) -> None:
    """As the owner of the bar: every door there is, in and out of turn, and what is logged meanwhile."""
    with capture_logs() as logs:
        who = {"user": bar.owner.username, "password": bar.owner.password}
        async with http.post("/staff/login", json=who) as response:
            csrf = (await response.json())["csrf"]
        for tried in TRIES:
            for token in (csrf, "0" * 64) if tried.method == "POST" else (csrf,):
                if ends_the_session(tried):
                    continue
                async with http.request(tried.method, tried.path.format(**ids), **sent(tried, ids, token)) as answer:
                    endless = answer.content_type == "text/event-stream"
                    body = "" if endless else await answer.text(errors="replace")
                    sweep.look(tried.door, "".join(f"{k}: {v}\n" for k, v in answer.headers.items()) + body)
    sweep.look("the log", json.dumps(logs, default=str))


def ends_the_session(tried: Try) -> bool:
    return "logout" in tried.path or "everywhere" in tried.path


def sent(tried: Try, of: dict[str, str], csrf: str) -> dict[str, Any]:
    def filled(values: Any) -> dict[str, Any]:
        return {name: value.format(**of) if isinstance(value, str) else value for name, value in values.items()}

    if tried.method != "POST":
        return {}
    return {"json": filled(tried.json)} if tried.json else {"data": filled(tried.form) | {"csrf": csrf}}
