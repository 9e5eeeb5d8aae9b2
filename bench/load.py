"""Load over HTTP: prepared requests on so many kept connections, by wrk where it is installed, else by `generator.py`.

Both are programs of their own that read the same file, and send each request at most once: what is stored twice is
another job than what is stored once.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: How wrk sends what lies in a file; `-s` gets this, the file's name comes after `--`.
SCRIPT = """
local requests, at = {}, 0
function init(arguments)
    local file = assert(io.open(arguments[1], "rb"))
    for request in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = request end
    file:close()
end
function request()
    at = at % #requests + 1
    return requests[at]
end
"""
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}
BETWEEN = b"\0"


@dataclass(frozen=True, slots=True)
class Fired:
    """What came back: requests answered well, in so many seconds; latencies in milliseconds."""

    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds


class LoadFailed(Exception):
    """The load was not what it should have been."""


def generator() -> str:
    """Who makes the load here, for the page."""
    return "wrk" if shutil.which("wrk") else "the bundled generator (it takes some 30 µs of CPU a request itself)"


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {v}" for name, v in (headers or {}).items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def fire(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    again: bool = False,
    through: Sequence[str] = (),
) -> Fired:
    """Send requests for so long; `again` begins anew when all were sent, else that is a failure. `through`: what the
    generator's command begins with."""
    with tempfile.NamedTemporaryFile(prefix="kaunta-bench-") as file:
        file.write(BETWEEN.join(requests))
        file.flush()
        by_wrk = shutil.which("wrk") is not None
        command = wrk(file.name, connections, seconds, port) if by_wrk else ours(file.name, connections, seconds, port)
        code, said, wrong = await run(*through, *command)
    if code != 0:
        raise LoadFailed(f"{command[0]}: {wrong[-1500:]}{said[-1500:]}")
    fired = read_wrk(said) if by_wrk else Fired(**json.loads(said))
    if fired.answered > len(requests) and not again:
        raise LoadFailed(f"{fired.answered} requests were answered, but only {len(requests)} prepared.")
    return fired


async def run(*command: str) -> tuple[int, str, str]:
    """Exit code and words of a program, which ends with whoever waits for it."""
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        said, wrong = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(), wrong.decode()


async def warm_up(port: int, requests: Sequence[bytes], through: Sequence[str] = ()) -> None:
    """Let a program make its connections and its first mistakes before anybody counts."""
    with suppress(LoadFailed):
        await fire(port, requests, connections=16, seconds=1, again=True, through=through)


def wrk(file: str, connections: int, seconds: float, port: int) -> list[str]:
    script = Path(tempfile.gettempdir()) / f"kaunta-bench-{os.getuid()}.lua"
    script.write_text(SCRIPT, encoding="ascii")
    return [
        "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s", "--latency",
        "--timeout", "20s", "--script", str(script), f"http://127.0.0.1:{port}", "--", file,
    ]  # fmt: skip


def ours(file: str, connections: int, seconds: float, port: int) -> list[str]:
    return [
        sys.executable,
        str(Path(__file__).with_name("generator.py")),
        file,
        str(port),
        str(connections),
        str(seconds),
    ]


def read_wrk(said: str) -> Fired:
    """What wrk printed. Raises `LoadFailed` where anything was refused, cut off or late."""
    wrong = re.search(r"^\s*(Non-2xx.*|Socket errors.*)$", said, re.MULTILINE)
    counted = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", said)
    shares = {share: float(value) * UNITS[unit] for share, value, unit in LATENCY.findall(said)}
    if wrong or counted is None or counted[1] == "0" or "50" not in shares:
        raise LoadFailed(wrong[1] if wrong else said[-1500:])
    return Fired(int(counted[1]), float(counted[2]) * UNITS[counted[3]] / 1e3, shares["50"], shares["99"])


LATENCY = re.compile(r"^\s*(\d\d)%\s+([\d.]+)(us|ms|s|m)\s*$", re.MULTILINE)
