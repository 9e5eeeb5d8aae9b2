"""Whether a byte could have left: the border between `BeforeSend` and `AfterSend`, on real sockets."""

import asyncio
import ssl
from pathlib import Path

import pytest

from kaunta.core.outbound import LONGEST_ANSWER, AfterSend, Answer, BeforeSend, Outbound, Timeouts
from kaunta.core.outbound_addresses import is_public

from .peer import CLOSE, HANG, Peer, answer

PATIENT = Timeouts(connect=2.0, total=5.0)


async def test_an_answer_is_read_to_its_last_byte(outbound: Outbound, peer: Peer) -> None:
    peer.replies["/"] = [answer(418, b"x" * LONGEST_ANSWER, X_Kettle="yes")]
    got = await outbound.request("POST", peer.url + "/", json={"a": "é"}, timeout=PATIENT)
    assert isinstance(got, Answer)
    assert (got.status, len(got.body), got.headers["x-kettle"]) == (418, LONGEST_ANSWER, "yes")
    assert peer.received[0].headers["content-type"] == "application/json"
    assert peer.received[0].json == {"a": "é"}


async def test_an_answer_without_an_end_is_cut(outbound: Outbound, peer: Peer) -> None:
    peer.replies["/"] = [answer(200, b"x" * (LONGEST_ANSWER + 1))]
    got = await outbound.request("GET", peer.url + "/", timeout=PATIENT)
    assert isinstance(got, AfterSend)
    assert (got.reason, got.status) == ("too_large", 200)


@pytest.mark.failure(45)
async def test_a_reused_connection_that_breaks_is_after_send_and_the_post_is_not_repeated(
    outbound: Outbound, peer: Peer
) -> None:
    peer.replies["/"] = [answer(200), CLOSE, answer(200)]
    first = await outbound.request("POST", peer.url + "/", json={}, timeout=PATIENT)
    second = await outbound.request("POST", peer.url + "/", json={}, timeout=PATIENT)
    assert isinstance(first, Answer)
    assert isinstance(second, AfterSend)
    assert (peer.connections, len(peer.received)) == (1, 2)


async def test_waiting_in_vain_for_a_free_connection_is_before_send(peer: Peer) -> None:
    peer.replies["/"] = [HANG]
    async with Outbound(connections=1) as narrow:
        blocking = asyncio.create_task(narrow.request("POST", peer.url + "/", json={}, timeout=PATIENT))
        await peer.hung.wait()
        got = await narrow.request("POST", peer.url + "/", json={}, timeout=Timeouts(connect=0.1, total=5.0))
        assert isinstance(got, BeforeSend)
        assert got.reason == "connect_timeout"
        blocking.cancel()
    assert len(peer.received) == 1


async def test_a_time_that_ran_out_before_the_connection_is_before_send(outbound: Outbound, tls_peer: Peer) -> None:
    got = await outbound.request("POST", tls_peer.url, json={}, timeout=Timeouts(connect=0.000001, total=5.0))
    assert isinstance(got, BeforeSend)
    assert got.reason == "connect_timeout"


async def test_certificates_are_verified_against_the_given_authority(tls_peer: Peer, certificate: Path) -> None:
    tls_peer.replies["/"] = [answer(200)]
    async with Outbound(trust=ssl.create_default_context(cafile=str(certificate))) as trusting:
        assert isinstance(await trusting.request("GET", tls_peer.url + "/", timeout=PATIENT), Answer)
    async with Outbound() as stranger:
        got = await stranger.request("GET", tls_peer.url + "/", timeout=PATIENT)
    assert isinstance(got, BeforeSend)
    assert got.reason == "tls"


@pytest.mark.parametrize("url", ["", "no url", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/", "//x"])
async def test_what_is_no_address_is_before_send(outbound: Outbound, url: str) -> None:
    got = await outbound.request("POST", url, json={}, timeout=PATIENT)
    assert isinstance(got, BeforeSend)
    assert got.reason == "bad_url"


async def test_a_cookie_is_not_carried_to_the_next_call(outbound: Outbound, peer: Peer) -> None:
    peer.replies["/"] = [answer(200, b"", Set_Cookie="session=of-another-bar; Path=/")]
    for _ in range(2):
        await outbound.request("GET", peer.url + "/", timeout=PATIENT)
    assert "cookie" not in peer.received[1].headers


async def test_the_environment_names_no_proxy_unless_told(
    outbound: Outbound, peer: Peer, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    peer.replies["/"] = [answer(200)]
    assert isinstance(await outbound.request("GET", peer.url + "/", timeout=PATIENT), Answer)
    async with Outbound(proxy_from_environment=True) as proxied:
        assert isinstance(await proxied.request("GET", peer.url + "/", timeout=PATIENT), BeforeSend)


async def test_posting_uses_a_connection_of_its_own(outbound: Outbound, peer: Peer) -> None:
    peer.replies["/cb"] = [answer(200, {"ResultCode": 0})]
    for _ in range(2):
        assert isinstance(await outbound.post(peer.url + "/cb", {"Body": {}}, timeout=PATIENT), Answer)
    assert peer.connections == 2


async def test_a_closed_gateway_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await Outbound().request("GET", "http://127.0.0.1/", timeout=PATIENT)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "①27.0.0.1", "127。0。0。1", "127.1", "2130706433", "[::ffff:127.0.0.1]"],
)
async def test_no_way_to_write_a_forbidden_address_leads_to_it(peer: Peer, host: str) -> None:
    peer.replies["/"] = [answer(200)]
    async with Outbound(allows=is_public) as choosy:
        got = await choosy.request("POST", peer.url.replace("127.0.0.1", host) + "/", json={}, timeout=PATIENT)
    assert isinstance(got, BeforeSend)
    assert (peer.connections, peer.received) == (0, [])
