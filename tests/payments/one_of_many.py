"""One of several processes that ask for prompts and try passwords at the same time: `python -m
tests.payments.one_of_many`, with the settings in the environment and the work as JSON in a line of stdin.

It says "ready", begins at a second line, and ends with how many of its tries got through, as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from kaunta.access.sessions import TooManySignIns, sign_in
from kaunta.core.clock import ManualClock
from kaunta.core.phone import parse_msisdn
from kaunta.core.runtime import Runtime, running
from kaunta.payments.errors import TooManyPrompts
from kaunta.payments.initiate import Intent, record
from kaunta.settings import load
from kaunta.simulator.testing import FRIDAY_EVENING


async def rung(rt: Runtime, tab: str, phone: str) -> bool:
    """A payment's first step, at which the limits stand; nothing is sent here."""
    try:
        await record(rt, Intent(tab, phone, 1), parse_msisdn(phone))
    except TooManyPrompts:
        return False
    return True


async def asked(rt: Runtime, user: str) -> bool:
    """A wrong password that was looked at."""
    try:
        return await sign_in(rt, user, "not the password", "203.0.113.66") is None
    except TooManySignIns:
        return False


async def main() -> None:
    work: dict[str, Any] = json.loads(sys.stdin.readline())
    settings = load(needs=("mode", "database_url", "keys"))
    async with running(settings, listen=False, clock=ManualClock(FRIDAY_EVENING)) as rt:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        prompts = await asyncio.gather(*(rung(rt, tab, phone) for tab, phone in work["prompts"]))
        passwords = await asyncio.gather(*(asked(rt, work["user"]) for _ in range(work["passwords"])))
    sys.stdout.write(json.dumps({"prompts": sum(prompts), "passwords": sum(passwords)}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
