"""Starting the peers, one process each, as their documentation recommends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.ground import ROOT, Ground
from bench.processes import Program, free_port, program

DJANGO = "bench.peers.django_bar.wsgi:application"
#: A process of ours keeps 16 connections too.
THREADS = 16


@contextmanager
def django(ground: Ground, url: str, safaricom: str | None = None) -> Iterator[Program]:
    """Django under granian, which served it faster than gunicorn's threads did."""
    port = free_port()
    environ = {"BENCH_DATABASE_URL": url} | ({"BENCH_SAFARICOM": safaricom} if safaricom else {})
    command = (
        "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--blocking-threads", str(THREADS), "--no-access-log", "--log-level", "warning", DJANGO,
    )  # fmt: skip
    with ground.peer(*command, port=port, environ=environ) as running:
        yield running


@contextmanager
def sqlalchemy(ground: Ground, url: str) -> Iterator[Program]:
    """FastAPI under uvicorn with uvloop and httptools, as ours."""
    port = free_port()
    command = uvicorn("bench.peers.sqlalchemy_bar:app", port)
    with ground.peer(*command, port=port, environ={"BENCH_DATABASE_URL": url}) as running:
        yield running


@contextmanager
def bare(ground: Ground, url: str, safaricom: str | None = None) -> Iterator[Program]:
    """Starlette with asyncpg and aiohttp under uvicorn, of the versions that we run with."""
    port = free_port()
    environ = {"PYTHONPATH": str(ROOT), "BENCH_DATABASE_URL": url}
    environ |= {"BENCH_SAFARICOM": safaricom} if safaricom else {}
    command = [sys.executable, *uvicorn("bench.peers.bare:app", port)]
    with program(command, port, environ, ground.folder / "bare.log") as running:
        yield running


def uvicorn(app: str, port: int) -> tuple[str, ...]:
    """Python's arguments for an application served as ours is."""
    return (
        "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools",
        "--no-access-log", "--log-level", "warning",
    )  # fmt: skip
