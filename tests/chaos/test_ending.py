"""`kaunta serve` and `kaunta worker` end when they are told to: in order, and with exit code 0."""

import asyncio
import os
import signal
import sys

import pytest

from kaunta.settings import Settings
from tests.crash.forks import environment


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)])
async def test_a_program_that_is_told_to_end_ends_in_order(
    rt: object, settings: Settings, command: tuple[str, ...], number: signal.Signals
) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KAUNTA_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kaunta", *command), env=plain | environment(settings),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = b""
    try:
        async with asyncio.timeout(120):
            while b"kaunta " not in said:
                line = await process.stderr.readline()
                assert line, said.decode()
                said += line
            process.send_signal(number)
            said += await process.stderr.read()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, b"Traceback" in said) == (0, False), said.decode()
