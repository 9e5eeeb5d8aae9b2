"""`kaunta` as an operator calls it: its output, its messages and its exit code.

The fixture `kaunta` runs a command with nothing but the environment it is given; `installed` with this test's settings,
and whatever a test runs by it is searched afterwards: no secret and no whole phone number may be in any output.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from typer.testing import CliRunner

from kaunta.cli.main import app
from kaunta.cli.output import Exit
from kaunta.settings import Settings
from tests.crash.forks import environment
from tests.support.bars import PASSWORD

PHONE = "254708374149"
#: How the phone is spelt where it must not be spelt at all.
SPELT = (PHONE, "0708374149", "708374149")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """The one JSON object of a command with `--json`: nothing else may be on stdout."""
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        assert found.keys() == {"ok", "data", "warnings", "errors"}
        assert found["ok"] == (self.code == Exit.OK)
        assert bool(found["errors"]) <= (not found["ok"])
        return found

    @property
    def data(self) -> Any:
        return self.object["data"]

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout, whatever it says."""
        found: dict[str, Any] = json.loads(self.out)
        assert set(found) == {"ok", "data", "warnings", "errors"}
        return found


@dataclass
class Kaunta:
    """Runs commands and keeps what they said."""

    environment: Mapping[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)

    async def __call__(self, *arguments: str, typed: str = "", **environment: str | None) -> Said:
        """`kaunta …`; `typed` is on standard input, which is no terminal; an `environment` of None is unset."""
        cleared: dict[str, str | None] = dict.fromkeys(
            name for name in os.environ if name.startswith(("KAUNTA_", "MPESA_"))
        )
        told = cleared | dict(self.environment) | environment
        # In a thread, because a command runs a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), input=typed, env=told)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        said = Said(result.exit_code, result.stdout, result.stderr)
        self.said.append(said)
        return said


def secrets_of(settings: Settings) -> list[str]:
    assert settings.database_url is not None
    assert settings.keys is not None
    password = settings.database_url.get_secret_value().partition("postgres:")[2].partition("@")[0]
    key = settings.keys.get_secret_value().partition(":")[2]
    return [password, key, PASSWORD, "consumer-key-of-", "consumer-secret-of-", "passkey-of-", *SPELT]


@pytest.fixture
def kaunta() -> Kaunta:
    """`await kaunta("sync", "check", KAUNTA_DATABASE_URL=url)`; nothing of the environment gets through."""
    return Kaunta()


@pytest.fixture
def installed(settings: Settings) -> Iterator[Kaunta]:
    """`await installed("payment", "list", "--bar", slug)`, where everything is set up."""
    runs = Kaunta(environment(settings))
    yield runs
    for said in runs.said:
        for secret in secrets_of(settings):
            assert secret not in said.out + said.err
