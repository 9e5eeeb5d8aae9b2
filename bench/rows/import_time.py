"""How long importing the application takes: what every start, every test and every worker pays first."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.ground import PEERS_PYTHON, ROOT, Ground
from bench.row import OURS, PEER, Measured, Row, Size, Way

STARTS = 2


@asynccontextmanager
async def ready(_ground: Ground, _size: Size) -> AsyncIterator[Mapping[str, Way]]:
    async def imported(python: str, module: str) -> Measured:
        environ = {"PYTHONPATH": str(ROOT), "BENCH_DATABASE_URL": "postgresql://bench@127.0.0.1/bench"}
        seconds = []
        for _ in range(STARTS):
            begun = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                python, "-c", f"import {module}", env=environ, stderr=subprocess.DEVNULL
            )
            if await process.wait() != 0:
                raise RuntimeError(f"{module} cannot be imported")
            seconds.append(time.perf_counter() - begun)
        return Measured(min(seconds))

    yield {
        OURS: lambda: imported(sys.executable, "kaunta.app"),
        "kaunta.cli.main": lambda: imported(sys.executable, "kaunta.cli.main"),
        PEER: lambda: imported(str(PEERS_PYTHON), "bench.peers.django_bar.wsgi"),
        "FastAPI + SQLAlchemy ORM": lambda: imported(str(PEERS_PYTHON), "bench.peers.sqlalchemy_bar"),
    }


ROW = Row(
    name="import_time",
    title="Importing the application in a fresh Python",
    unit="s",
    ready=ready,
    about="""The best of two starts a round, the interpreter's own included. `kaunta.cli.main` is what every command
    imports; the peer has three views and eight models.""",
    less=True,
    most_rounds=3,
)
