"""Who called: the peer, or what proxies of our own say about it.

An address decides whether a callback is believed and how often somebody may try a password, so a header that anybody
can write counts only as far as a proxy we trust has written it.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=4096)
def address(text: str | None) -> Address | None:
    """The address a text names, None where it names none.

    A socket that listens on IPv6 as well shows an IPv4 caller as `::ffff:196.201.214.200`: it is that caller, and a
    callback from there must not look like a stranger's. An interface (`%eth0`) says nothing about the caller.
    """
    try:
        found = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def counted(text: str | None) -> str | None:
    """What tries from an address are counted under: of IPv6 its /64, within which one customer takes any address they
    like, another for each try."""
    found = address(text)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(found), 64), strict=False).network_address)
    return str(found) if found is not None else None


def inside(text: str | None, networks: Sequence[Network]) -> bool:
    """Whether a text names an address in one of these networks."""
    found = address(text)
    return found is not None and any(found in network for network in networks)


@lru_cache(maxsize=4096)
def written(text: str | None) -> str | None:
    """An address as it is kept and compared, None where the text names none."""
    found = address(text)
    return str(found) if found is not None else None


def caller(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str | None:
    """The caller's address: `forwarded` (X-Forwarded-For, line by line) read from the right as far as we trust."""
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and inside(peer, trusted):
        peer = hops.pop()
    return written(peer)
