"""The programs of an evening: each a process of its own, killed without a warning and started again by a keeper."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kaunta.core.embedded_postgres import EmbeddedPostgres
from kaunta.core.server_user import free_port, works_in

#: After the end of a process, this long until its keeper starts it again.
PAUSE = 0.3


class Server(EmbeddedPostgres):
    """A PostgreSQL that keeps what it commits and its port, and is not the embedded one to whoever asks its name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, settings={"cluster_name": "chaos", "max_connections": "100"})
        self.lasting_port = free_port()

    def launch_on(self, port: int) -> None:
        super().launch_on(self.lasting_port)

    async def kill(self) -> None:
        """SIGKILL for the postmaster, then a start on the same folder, with everything it has to recover."""
        pid = self.server_pid()
        # The number is only believed where that process works in this very folder.
        assert pid is not None and works_in(pid, self.folder / "data")
        os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        await asyncio.to_thread(self.process.wait, 30)
        await asyncio.to_thread(self.start)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """SIGSTOP for the postmaster and every process of its; they go on after the block."""
        postmaster = self.server_pid()
        assert postmaster is not None
        stopped: list[int] = []
        try:
            # Until none is new: the postmaster is stopped first and makes no more.
            while fresh := [pid for pid in (postmaster, *children(postmaster)) if pid not in stopped]:
                for pid in fresh:
                    assert works_in(pid, self.folder / "data")
                    os.kill(pid, signal.SIGSTOP)
                    stopped.append(pid)
            yield
        finally:
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    """The processes that a process has begun and that still live."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@dataclass
class Program:
    """`kaunta …` as a process; started again whenever it ends, until `stop`."""

    name: str
    arguments: list[str]
    environment: Mapping[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    keeper: asyncio.Task[None] | None = None
    starts: int = field(default=0)

    async def start(self) -> None:
        self.keeper = asyncio.create_task(self.keep(), name=f"keeper of {self.name}")

    async def keep(self) -> None:
        with self.log.open("ab") as log:
            while True:
                self.starts += 1
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "kaunta", *self.arguments,
                    env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
                await self.process.wait()
                await asyncio.sleep(PAUSE)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def kill(self) -> None:
        """SIGKILL, if it runs; its keeper sees to the rest."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    async def stop(self) -> None:
        """The keeper goes home, the process ends as it does at a shutdown."""
        if self.keeper is not None:
            self.keeper.cancel()
            await asyncio.gather(self.keeper, return_exceptions=True)
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(20):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()

    def last_words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]


def held_port() -> socket.socket:
    """A port that is ours between one process's end and the next one's start: bound, and not listened on."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held
