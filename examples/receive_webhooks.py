"""Takes Kaunta's webhooks with the standard library only: verifies each, books each once, answers at once.

    KAUNTA_WEBHOOK_SECRET=whsec_… python receive_webhooks.py 9000

It keeps what it booked in receive_webhooks.sqlite beside itself: the id that travels with a message is the same on
every try, so that a message that comes twice is booked once. Put it behind a proxy that speaks https.
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = os.environ.get("KAUNTA_WEBHOOK_SECRET", "")
BOOKS = os.environ.get("KAUNTA_WEBHOOK_BOOKS", "receive_webhooks.sqlite")
#: Older messages may be somebody's copy, played again.
TOLERANCE_SECONDS = 5 * 60
LONGEST = 64 * 1024


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a message is Kaunta's, whole, and of now (standardwebhooks.com). Header names in lower case."""
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = hmac.new(key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
    given = [each.partition(",") for each in headers.get("webhook-signature", "").split()]
    # Compared in constant time, each of the signatures there are: a secret may be changing.
    wanted = base64.b64encode(right).decode()
    return any(version == "v1" and hmac.compare_digest(said.encode(), wanted.encode()) for version, _, said in given)


def book(id_: str, message: dict[str, object]) -> bool:
    """Write a message down; False where it was there already."""
    with sqlite3.connect(BOOKS) as db:
        db.execute("create table if not exists messages (id text primary key, type text, body text)")
        tag = db.execute(
            "insert or ignore into messages values (?, ?, ?)", (id_, message["type"], json.dumps(message["data"]))
        )
        return tag.rowcount == 1


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 once a message is booked. Whatever else it answers, Kaunta sends the message again later."""

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(min(length, LONGEST))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not verified(SECRET, headers, body, time.time()):
            self.answer(401)
            return
        first = book(headers["webhook-id"], json.loads(body))
        print("booked" if first else "known", headers["webhook-id"], flush=True)
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is written of requests: an address may hold a token."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print("listening on", server.server_port, flush=True)
    server.serve_forever()
