"""Processes under measurement: started, waited for, their CPU and memory read from /proc, ended."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 20.0


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5)); raises FileNotFoundError for one that is gone."""
    return (PROC / str(pid) / "stat").read_text(encoding="ascii").rpartition(")")[2].split()


def family(pid: int) -> list[int]:
    """A process and all its descendants that live."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            children.setdefault(int(stat_of(int(folder.name))[1]), []).append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def cpu_seconds(pid: int) -> float:
    """CPU that a process, its descendants and their ended children have used, user and system."""
    ticks = 0
    for member in family(pid):
        try:
            ticks += sum(int(field) for field in stat_of(member)[11:15])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks / TICKS


def memory_mb(pid: int) -> float:
    """Private and shared memory of a process and its descendants, each page counted once (Pss), MB of 10**6 bytes."""
    kilobytes = 0
    for member in family(pid):
        try:
            text = (PROC / str(member) / "smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        kilobytes += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return kilobytes * 1024 / 1e6


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@dataclass(frozen=True, slots=True)
class Program:
    """A program that serves on a port of 127.0.0.1."""

    pid: int
    port: int
    #: From its start until it answered a request.
    ready_seconds: float
    #: What a command begins with that shall ask it: a program in a network namespace is reached from within.
    through: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    def memory(self) -> float:
        return memory_mb(self.pid)


@contextmanager
def program(
    command: Sequence[str],
    port: int,
    environ: Mapping[str, str],
    log: Path,
    folder: Path | None = None,
    *,
    within: bool = False,
) -> Iterator[Program]:
    """Run a program until the block ends; it is ready once it takes connections. Its words go to `log`.

    `environ` is all it gets besides PATH: nothing of this shell changes what is measured. `within`: the command makes a
    network namespace for it, and it is asked from there.
    """
    plain = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(log.parent), **environ}
    begun = time.perf_counter()
    with log.open("ab") as words:
        process = subprocess.Popen(  # noqa: S603
            command, env=plain, cwd=folder, stdin=subprocess.DEVNULL, stdout=words, stderr=words
        )
    through = ("nsenter", "--net", "--target", str(process.pid)) if within else ()
    try:
        while not (answers_within(port, through) if within else answers(port)):
            if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                raise RuntimeError(f"{command[0]} did not serve:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.002)
        yield Program(process.pid, port, time.perf_counter() - begun, through)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    """Whether a program answers a request, whatever it says: some listen long before they are ready."""
    with socket.socket() as trial:
        trial.settimeout(START_SECONDS)
        try:
            trial.connect(("127.0.0.1", port))
            trial.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return trial.recv(1) == b"H"
        except OSError:
            return False


def answers_within(port: int, through: tuple[str, ...]) -> bool:
    """The same from within a network namespace, which its own loopback alone reaches."""
    script = f"import sys; from bench.processes import answers; sys.exit(not answers({port}))"
    return subprocess.run([*through, sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0  # noqa: S603
