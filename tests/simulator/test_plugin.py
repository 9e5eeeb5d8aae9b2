"""The simulator as a package for other people's tests: the pytest plugin, and the context manager."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points
from typing import Any
from urllib.request import Request, urlopen

import pytest

from kaunta.simulator.options import RefusedInProduction, SimulatorOptions
from kaunta.simulator.testing import DarajaSimulator

from .merchant import PASSKEY, PUSH, TOKEN, Merchant

pytest_plugins = ("pytester",)

Push = Callable[..., Any]


@dataclass
class Shop:
    """A merchant as most are written: no event loop, a server in a thread."""

    url: str = ""
    told: list[Any] = field(default_factory=list)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            shop.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Take) as server:
        shop.url = f"http://127.0.0.1:{server.server_address[1]}/cb"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield shop
        server.shutdown()
        serving.join()


def ask(daraja: DarajaSimulator, path: str, body: object, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(daraja.url + path, json.dumps(body).encode(), headers)
    with urlopen(request, timeout=10) as answer:
        return json.load(answer)


def push(daraja: DarajaSimulator, callback_url: str, **changes: object) -> Any:
    key_pair = base64.b64encode(b"key:secret").decode()
    with urlopen(Request(daraja.url + TOKEN, headers={"Authorization": f"Basic {key_pair}"}), timeout=10) as answer:
        token = json.load(answer)["access_token"]
    stamp = "20261120203000"
    wanted = {
        "BusinessShortCode": 174379,
        "Password": base64.b64encode(f"174379{PASSKEY}{stamp}".encode()).decode(),
        "Timestamp": stamp,
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 100,
        "PartyA": 254722000001,
        "PartyB": 174379,
        "PhoneNumber": 254722000001,
        "CallBackURL": callback_url,
        "AccountReference": "T7",
        "TransactionDesc": "Bar tab",
    }
    return ask(daraja, PUSH, wanted | changes, token)


def test_a_synchronous_test_never_sleeps(shop: Shop) -> None:
    with DarajaSimulator() as daraja:
        checkout_id = push(daraja, shop.url)["CheckoutRequestID"]
        assert daraja.pushes[0].result is None
        daraja.settle()
        assert shop.told[0]["Body"]["stkCallback"]["CheckoutRequestID"] == checkout_id
        assert [payment.amount for payment in daraja.payments] == [100]
        assert daraja.callbacks[0].attempts[0].status == 200


def test_what_happens_next_is_chosen_in_the_test(shop: Shop) -> None:
    with DarajaSimulator(SimulatorOptions(auto="person")) as daraja:
        daraja.queue("paid", delay=90, times=2)
        push(daraja, shop.url)
        daraja.advance(80)
        assert not shop.told
        daraja.advance(20)
        assert shop.told[0]["Body"]["stkCallback"]["ResultCode"] == 0
        daraja.expire_tokens()
        push(daraja, shop.url)
        daraja.answer(daraja.pushes[1].checkout_id, 1032)
        daraja.settle()
        assert shop.told[1]["Body"]["stkCallback"]["ResultCode"] == 1032
        assert daraja.pay_till("600222", "254722000002", 50, "T7").amount == 50


async def test_an_asynchronous_test_awaits_it(merchant: Merchant) -> None:
    async with DarajaSimulator() as daraja:
        import asyncio

        await asyncio.to_thread(push, daraja, merchant.url)
        await daraja.advanced(1)
        assert not merchant.received
        await daraja.settled()
        assert merchant.received[0].told["ResultCode"] == 0


def test_time_can_pass_by_itself(shop: Shop) -> None:
    with DarajaSimulator(SimulatorOptions(clock_factor=1000), running=True) as daraja:
        arrived = threading.Event()
        told = shop.told

        class Telling(list[Any]):
            def append(self, each: Any) -> None:
                told.append(each)
                arrived.set()

        shop.told = Telling()
        push(daraja, shop.url)
        assert arrived.wait(30)


def test_two_at_once_know_nothing_of_each_other(shop: Shop) -> None:
    with DarajaSimulator() as one, DarajaSimulator() as other:
        push(one, shop.url)
        assert (len(one.pushes), len(other.pushes)) == (1, 0)
        assert one.url != other.url


def test_a_script_is_played(shop: Shop, tmp_path: Any) -> None:
    (tmp_path / "evening.yaml").write_text("- at: 5\n  pay_till: {till: 600222, phone: 254722000001, amount: 7}\n")
    with DarajaSimulator() as daraja:
        daraja.play(tmp_path / "evening.yaml")
        daraja.settle()
        assert [payment.amount for payment in daraja.payments] == [7]


def test_what_is_wrong_at_the_start_is_told_where_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with DarajaSimulator() as daraja:
        taken = int(daraja.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            DarajaSimulator(port=taken).start()
    with pytest.raises(RuntimeError, match="not running"):
        daraja.settle()
    with pytest.raises(ValueError, match="no scenario"):
        DarajaSimulator(SimulatorOptions(auto="payed")).start()
    monkeypatch.setenv("KAUNTA_MODE", "production")
    with pytest.raises(RefusedInProduction):
        DarajaSimulator().start()


def test_installing_kaunta_gives_pytest_the_plugin() -> None:
    (plugin,) = entry_points(group="pytest11", name="kaunta_simulator")
    assert plugin.value == "kaunta.simulator.plugin"


def test_the_fixture_serves_a_simulator_set_up_by_the_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import urllib.request

        import pytest
        from kaunta.simulator.options import SimulatorOptions

        def test_without_a_word(daraja_simulator):
            with urllib.request.urlopen(daraja_simulator.url + "/_sim/scenarios") as answer:
                assert b'"auto": "paid"' in answer.read()

        @pytest.mark.daraja(auto="person", seed=7)
        def test_marked(daraja_simulator):
            assert daraja_simulator.options == SimulatorOptions(auto="person", seed=7)

        class TestOverridden:
            @pytest.fixture
            def daraja_options(self):
                return SimulatorOptions(strict=True)

            @pytest.mark.daraja(running=True)
            def test_both(self, daraja_simulator):
                assert daraja_simulator.options.strict and daraja_simulator.time_passes

        @pytest.mark.daraja(colour="green")
        def test_wrong(daraja_simulator):
            raise AssertionError("not reached")
        """
    )
    outcome = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "no:asyncio", "--strict-markers", "-W", "error"
    )
    outcome.assert_outcomes(passed=3, errors=1)
    outcome.stdout.fnmatch_lines(["*@pytest.mark.daraja: *colour*"])
