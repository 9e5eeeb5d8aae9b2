"""Starting the peers, one process each, as their documentation recommends."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.ground import Ground
from bench.processes import Program, free_port

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
    command = (
        "-m", "uvicorn", "bench.peers.sqlalchemy_bar:app", "--host", "127.0.0.1", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    )  # fmt: skip
    with ground.peer(*command, port=port, environ={"BENCH_DATABASE_URL": url}) as running:
        yield running
