"""Faults to be injected, one at a time: how each is done, the check that must name it first, and in which words."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from kaunta.core.vault import generate_entry
from tests.diagnostics.conftest import World

Spoil = Callable[[World], Awaitable[None]]

PRODUCTION = {
    "KAUNTA_MODE": "production",
    "KAUNTA_PUBLIC_URL": "https://pay.example.co.ke",
    "KAUNTA_CALLBACK_SOURCES": "log",
}
SIMULATED = ("KAUNTA_DARAJA_SANDBOX_URL", "KAUNTA_DARAJA_PRODUCTION_URL", "KAUNTA_CLOCK_FACTOR")


@dataclass(frozen=True, slots=True)
class Fault:
    """`check` must be the first and only one that finds something, in words that hold `says`. `what`: what is asked
    for; `often`: tried in every run, the others in the proofs."""

    name: str
    check: str
    says: str
    spoil: Spoil
    what: str = "all"
    often: bool = False
    #: Checks that find something of their own once the fault is mended: a new database has neither worker nor backup.
    leaves: frozenset[str] = frozenset()


def is_set(name: str, value: str, *, production: bool = False) -> Spoil:
    """The host has this value; in production, where that is asked."""

    async def spoil(world: World) -> None:
        if production:
            for good in (world.good, world.env):
                for simulated in SIMULATED:
                    good.pop(simulated, None)
                good |= PRODUCTION | {"KAUNTA_SEAL_KEY": generate_entry(world.rt.entropy, "s1")}
        world.env[name] = value

    return spoil


def is_unset(name: str, *, production: bool = False) -> Spoil:
    async def spoil(world: World) -> None:
        await is_set(name, "", production=production)(world)
        del world.env[name]

    return spoil


async def mistyped(world: World) -> None:
    world.env["KAUNTA_DATBASE_URL"] = world.env.pop("KAUNTA_DATABASE_URL")


async def spool_is_a_file(world: World) -> None:
    at = Path(world.good["KAUNTA_SPOOL_FOLDER"] + "-file")
    at.touch()
    world.env["KAUNTA_SPOOL_FOLDER"] = str(at)


def keyring(change: Callable[[World, str, str], str]) -> Spoil:
    """KAUNTA_KEYS made from the name and the material of the right one."""

    async def spoil(world: World) -> None:
        name, _, material = world.good["KAUNTA_KEYS"].partition(":")
        world.env["KAUNTA_KEYS"] = change(world, name, material)

    return spoil


def another(world: World, name: str) -> str:
    return generate_entry(world.rt.entropy, name)


def hexed(world: World, name: str, material: str) -> str:
    return f"{name}:{base64.b64decode(material).hex()}"


def short(world: World, name: str, material: str) -> str:
    return f"{name}:{base64.b64encode(base64.b64decode(material)[:31]).decode()}"


def env(name: str, value: str, says: str, *, production: bool = False, often: bool = False) -> Fault:
    where = " in production" if production else ""
    return Fault(
        f"{name} malformed{where}: {says}", "env.values", says, is_set(name, value, production=production),
        "env" if production else "all", often,
    )  # fmt: skip


ENVIRONMENT = (
    Fault("no mode", "env.needed", "KAUNTA_MODE is not set", is_unset("KAUNTA_MODE")),
    Fault("no database", "env.needed", "KAUNTA_DATABASE_URL is not set", is_unset("KAUNTA_DATABASE_URL"), often=True),
    Fault("no keys", "env.needed", "KAUNTA_KEYS is not set", is_unset("KAUNTA_KEYS")),
    Fault(
        "no public origin in production", "env.needed", "KAUNTA_PUBLIC_URL is not set",
        is_unset("KAUNTA_PUBLIC_URL", production=True), "env",
    ),
    Fault(
        "no recovery key in production", "env.caution", "KAUNTA_RECOVERY_KEY is not set",
        lambda world: no_recovery_key(world), "env",
    ),
    env("KAUNTA_MODE", "test", "'development' or 'production'"),
    env("KAUNTA_DATABASE_URL", "mysql://kaunta@127.0.0.1/kaunta", "postgresql://"),
    env("KAUNTA_DATABASE_POOL", "many", "valid integer"),
    env("KAUNTA_DATABASE_POOL", "1", "greater than or equal to 2"),
    env("KAUNTA_DATABASE_STATEMENT_CACHE", "perhaps", "valid boolean"),
    env("KAUNTA_PUBLIC_URL", "http://127.0.0.1:8000/app", "without a path"),
    env("KAUNTA_CALLBACK_SOURCES", "sometimes", "'enforce', 'log' or 'off'"),
    env("KAUNTA_CALLBACK_NETWORKS", "10.0.0.1/8", "addresses or networks"),
    env("KAUNTA_TRUSTED_PROXIES", "everybody", "addresses or networks"),
    env("KAUNTA_DARAJA_SANDBOX_URL", "http://daraja.example.co.ke", "loopback"),
    env("KAUNTA_SANDBOX_PHONES", "landline", "Kenyan mobile numbers"),
    env("KAUNTA_MAX_AMOUNT", "0", "greater than or equal to 1"),
    env("KAUNTA_QUERIES_PER_MINUTE", "0", "greater than 0"),
    env("KAUNTA_CLOCK_FACTOR", "0.5", "greater than or equal to 1"),
    env("KAUNTA_LOG_FORMAT", "xml", "'console' or 'json'"),
    env("MPESA_KMS_KEY", "a" * 34, "34 characters"),
    env("KAUNTA_PUBLIC_URL", "http://pay.example.co.ke", "production needs https", production=True),
    env("KAUNTA_CLOCK_FACTOR", "60", "its own pace", production=True),
    env("KAUNTA_DARAJA_SANDBOX_URL", "https://127.0.0.1:9000", "a stand-in for Safaricom", production=True),
    Fault("a variable mistyped", "env.needed", "a slip of the pen", mistyped),
    Fault("the spool is no folder", "env.files", "callbacks that come while", spool_is_a_file),
    Fault("a stranger", "env.strangers", "nothing reads it", is_set("KAUNTA_DATABASE_POLL", "8")),
)  # fmt: skip

KEYS = (
    Fault("a keyring in hex", "keys.form", "entry 1", keyring(hexed)),
    Fault("31 bytes", "keys.form", "31 bytes, 32 are needed", keyring(short)),
    Fault(
        "a recovery key in hex", "keys.others", "KAUNTA_RECOVERY_KEY, entry 1",
        is_set("KAUNTA_RECOVERY_KEY", "r1:" + "ab" * 32),
    ),
    Fault(
        "the recovery key is the keyring’s", "keys.others", "the same key",
        lambda world: is_set("KAUNTA_RECOVERY_KEY", world.good["KAUNTA_KEYS"])(world),
    ),
    Fault("no name", "keys.form", "name:base64", keyring(lambda world, name, material: material)),
    Fault(
        "a wrong key", "keys.needed", "with another key than the test",
        keyring(lambda world, name, _: another(world, name)), often=True,
    ),
    Fault(
        "the right key under a wrong name", "keys.needed", "that very key under the name k2",
        keyring(lambda world, name, material: f"k2:{material}"), often=True,
    ),
    Fault(
        "the older key left out", "keys.needed", "which KAUNTA_KEYS has not",
        keyring(lambda world, *_: another(world, "k9")),
    ),
)  # fmt: skip


async def no_recovery_key(world: World) -> None:
    await is_set("KAUNTA_MODE", "production", production=True)(world)
    for host in (world.good, world.env):
        host.pop("KAUNTA_BACKUP_FOLDER", None)
    del world.env["KAUNTA_RECOVERY_KEY"]
