"""People who are told: a real mail server, and a gateway that keeps what is posted to it and answers as a test says."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings
from tests.support.door import listening

SECRET = "a-webhook-secret-of-32-characters"
TOKEN = "a-gateway-token"


@dataclass(slots=True)
class Postman:
    """aiosmtpd's handler. `answer`: what the server says to a whole message."""

    letters: list[tuple[list[str], Message]] = field(default_factory=list)
    answer: str = "250 taken"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.letters.append((list(envelope.rcpt_tos), message_from_bytes(envelope.content, policy=default)))
        return self.answer

    @property
    def subjects(self) -> list[str]:
        return [str(letter["Subject"]) for _, letter in self.letters]


@dataclass(frozen=True, slots=True)
class Posted:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Gateway:
    """Takes what is posted. `answer`: with which status; `held`: only when this is set."""

    posts: list[Posted] = field(default_factory=list)
    answer: int = 200

    async def take(self, request: Request) -> Response:
        self.posts.append(Posted(request.url.path, dict(request.headers), await request.body()))
        return Response(status_code=self.answer, headers={"Location": "/elsewhere"})

    def at(self, path: str) -> list[Posted]:
        return [post for post in self.posts if post.path == path]


@dataclass(frozen=True, slots=True)
class MailServer:
    postman: Postman
    port: int


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    postman = Postman()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(postman, hostname="mail.test", loop=loop), "127.0.0.1", 0)
    try:
        yield MailServer(postman, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


@pytest_asyncio.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


@pytest.fixture
def gateway_socket() -> Iterator[socket.socket]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        yield bound


@pytest_asyncio.fixture
async def gateway(gateway_socket: socket.socket) -> AsyncIterator[Gateway]:
    gateway = Gateway()
    app = Starlette(routes=[Route("/{path:path}", gateway.take, methods=["POST"])])
    app.state.leaving = asyncio.Event()
    async with listening(app, gateway_socket):  # type: ignore[arg-type]
        yield gateway


@pytest.fixture
def settings(settings: Settings, mail: MailServer, gateway: Gateway, gateway_socket: socket.socket) -> Settings:
    """All three channels, and the levels of a house with two people."""
    there = f"http://127.0.0.1:{gateway_socket.getsockname()[1]}"
    return Settings.model_validate(
        {
            **{name: getattr(settings, name) for name in settings.model_fields_set},
            "smtp_url": f"smtp://127.0.0.1:{mail.port}",
            "alert_email_from": "kaunta@bar.example",
            "alert_email_to": "first@bar.example",
            "alert_escalated_to": "boss@bar.example, +254700000001",
            "alert_webhook_url": f"{there}/hook",
            "alert_webhook_secret": SECRET,
            "alert_sms_url": f"{there}/sms",
            "alert_sms_token": TOKEN,
            "alert_sms_to": "+254700000000",
            "alert_levels": "0:email+webhook,15:email+sms",
            "alert_attempts": "4",
        }
    )


@dataclass(frozen=True, slots=True)
class Trouble:
    """Problems that come and go, and the worker's turns about them."""

    rt: Runtime
    clock: ManualClock

    async def opens(
        self, kind: str = "invariant", subject: str = "x", severity: Severity = Severity.CRITICAL, **detail: object
    ) -> None:
        async with transaction(self.rt.db) as db:
            await open_problem(db, self.rt.clock, kind, subject, bar_id=None, severity=severity, **detail)

    async def closes(self, kind: str = "invariant", subject: str = "x") -> None:
        async with transaction(self.rt.db) as db:
            await close_problem(db, self.rt.clock, kind, subject, by="kaunta", reason="true again")

    async def turn(self, minutes: float = 0) -> int:
        """Time passes, then the worker plans and delivers until nothing is due; how many messages it tried."""
        from kaunta.alerts.delivering import deliver
        from kaunta.alerts.planning import plan

        self.clock.advance(minutes * 60)
        await plan(self.rt)
        tried = 0
        while now := await deliver(self.rt):
            tried += now
        return tried


@pytest.fixture
def trouble(rt: Runtime, clock: ManualClock) -> Trouble:
    return Trouble(rt, clock)
