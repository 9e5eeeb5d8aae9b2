"""Whose word an address is: the peer's, or a trusted proxy's."""

from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.source import caller, counted, inside

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))
SAFARICOM = "196.201.214.200"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (SAFARICOM, [], SAFARICOM),
        ("203.0.113.9", [SAFARICOM], "203.0.113.9"),
        ("10.0.0.1", [SAFARICOM], SAFARICOM),
        ("::1", [SAFARICOM], SAFARICOM),
        ("10.0.0.1", [f"{SAFARICOM}, 10.0.0.2"], SAFARICOM),
        ("10.0.0.1", [f"{SAFARICOM}, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [SAFARICOM, "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["unknown"], None),
        ("10.0.0.1", [f"{SAFARICOM}:443"], None),
        ("10.0.0.1", [""], None),
        ("::ffff:196.201.214.200", [], SAFARICOM),
        ("::ffff:10.0.0.1", [SAFARICOM], SAFARICOM),
        ("fe80::1%eth0", [], "fe80::1"),
        (None, [SAFARICOM], None),
        ("", [], None),
    ],
)
def test_a_forwarded_address_counts_as_far_as_a_trusted_proxy_wrote_it(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    assert caller(peer, forwarded, PROXIES) == expected


@given(st.lists(st.text(max_size=60), max_size=4))
def test_without_trusted_proxies_no_header_says_anything(forwarded: list[str]) -> None:
    assert caller("203.0.113.9", forwarded, ()) == "203.0.113.9"


@given(st.lists(st.text(max_size=60), max_size=4))
def test_whatever_a_header_holds_the_answer_is_an_address_or_none(forwarded: list[str]) -> None:
    found = caller("10.0.0.1", forwarded, PROXIES)
    assert found is None or inside(found, (ip_network("0.0.0.0/0"), ip_network("::/0")))


@pytest.mark.req("PAY-P11")
@given(address=st.ip_addresses(v=4))
def test_an_address_seen_through_an_ipv6_socket_is_still_itself(address: object) -> None:
    network = (ip_network(f"{address}/32"),)
    assert inside(f"::ffff:{address}", network)
    assert inside(str(address), network)


@pytest.mark.req("PAY-5.4")
@given(address=st.ip_addresses(v=6), within=st.integers(0, 2**64 - 1))
def test_whatever_address_of_its_network_somebody_takes_it_counts_as_one(address: IPv6Address, within: int) -> None:
    other = IPv6Address(int(address) >> 64 << 64 | within)
    if address.ipv4_mapped is None and other.ipv4_mapped is None:
        assert counted(str(address)) == counted(str(other))
        assert ip_address(counted(str(address)) or "") in ip_network(f"{address}/64", strict=False)


@pytest.mark.parametrize(
    ("address", "expected"), [(SAFARICOM, SAFARICOM), ("::ffff:192.0.2.1", "192.0.2.1"), (None, None)]
)
def test_an_ipv4_address_counts_for_itself(address: str | None, expected: str | None) -> None:
    assert counted(address) == expected
