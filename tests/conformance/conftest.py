"""Public Daraja clients, as their users have them, against the simulator on a real port, and a merchant's server.

The clients block, so simulator and server have threads of their own; the simulator's time stands still until a test
lets it pass.
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kaunta.simulator.options import Shortcode, SimulatorOptions
from kaunta.simulator.testing import DarajaSimulator

SAMPLES = Path(__file__).parent.parent / "daraja" / "samples"
SHORTCODE, TILL, STORE = "174379", "5678901", "5678900"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
PHONE = "254708374149"
KEY, KEY_WORD = "key", "word"

Official = Callable[[str], Any]


@dataclass
class Merchant:
    """A merchant's server: keeps what is posted, by path, and says yes to everything."""

    url: str = ""
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def told(self, path: str) -> list[dict[str, Any]]:
        return [body for where, body in self.received if where == path]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients ask the environment for proxies; a developer's must not stand between them and this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def daraja(request: pytest.FixtureRequest) -> Iterator[DarajaSimulator]:
    changes: dict[str, Any] = getattr(request, "param", {})
    options = SimulatorOptions(
        seed=7,
        credentials={KEY: KEY_WORD},
        shortcodes=(Shortcode(SHORTCODE, PASSKEY, name="BAA"), Shortcode(STORE, PASSKEY, till=TILL, name="KLABU")),
        **changes,
    )
    with DarajaSimulator(options) as running:
        yield running


@pytest.fixture
def merchant() -> Iterator[Merchant]:
    merchant = Merchant()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            merchant.received.append((self.path, json.loads(body)))
            answer = b'{"ResultCode": "0", "ResultDesc": "Accepted"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        merchant.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield merchant
        server.shutdown()
        thread.join()


@pytest.fixture
def official() -> Official:
    """A JSON block of the portal's pages by its file name."""
    return lambda name: json.loads((SAMPLES / "official" / f"{name}.json").read_text())["payload"]
