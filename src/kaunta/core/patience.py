"""How long a connection may take its time: whoever dribbles a request, or never reads the answer, is let go.

uvicorn waits for ever for the rest of a head or a body, and keeps as much of a head as is sent. A few thousand such
connections from one machine would leave no file descriptor for Safaricom. A proxy before us bounds the same; this holds
without one.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to its patience. Seconds are the wall's: they bound machines, not policy."""

    #: From the connection, or from the first byte of a further request, to the end of its head.
    HEAD_SECONDS = 20.0
    #: Bytes of a head; ours have cookies and a few lines.
    HEAD_BYTES = 32 * 1024
    #: A body has to bring so many bytes in each stretch, or its end: a phone on 2G does.
    BODY_SECONDS = 30.0
    BODY_BYTES = 8 * 1024
    #: How long nobody may read an answer that fills the buffers. A live page's hints never do.
    UNREAD_SECONDS = 60.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.arriving: asyncio.TimerHandle | None = None
        self.unread: asyncio.TimerHandle | None = None
        self.in_head = True
        self.came = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.await_head()

    def data_received(self, data: bytes) -> None:
        if self.in_head:
            self.came += len(data)
        super().data_received(data)
        if self.in_head and self.came > self.HEAD_BYTES and not self.transport.is_closing():
            self.let_go(TOO_LONG)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self.in_head:
            self.came = 0
            self.await_head()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.in_head, self.came = False, 0
        self.await_body()

    def on_body(self, body: bytes) -> None:
        self.came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.stop_waiting()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.unread is None:
            self.unread = self.loop.call_later(self.UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self.unread is not None:
            self.unread.cancel()
            self.unread = None
        super().resume_writing()

    def await_head(self) -> None:
        self.stop_waiting()
        self.in_head = True
        self.arriving = self.loop.call_later(self.HEAD_SECONDS, self.let_go, TOO_SLOW)

    def await_body(self) -> None:
        self.stop_waiting()
        self.arriving = self.loop.call_later(self.BODY_SECONDS, self.look_at_body, self.came)

    def look_at_body(self, before: int) -> None:
        if self.flow.read_paused:
            # It is we who do not read: the application has not asked for more yet.
            self.await_body()
        elif self.came - before < self.BODY_BYTES:
            self.let_go(TOO_SLOW)
        else:
            self.await_body()

    def stop_waiting(self) -> None:
        if self.arriving is not None:
            self.arriving.cancel()
            self.arriving = None

    def let_go(self, answer: bytes) -> None:
        """End the connection, with a word where no answer has begun."""
        self.stop_waiting()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(answer)
        self.transport.close()
