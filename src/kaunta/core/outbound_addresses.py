"""Which addresses may be asked at all, where the peer is not ours to choose: an operator's webhook must not lead to the
metadata of a cloud or to a database next door. Webhooks and alerts ask by one rule, whatever a name resolves to.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

Allows = Callable[[IPv4Address | IPv6Address], bool]
#: Addresses that a gateway turns into an IPv4 address of anybody's choosing, private ones too.
TRANSLATED = tuple(IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is somebody's on the internet: no network of ours, no link's own, no cloud's metadata."""
    address = untranslated(address)
    return not is_translated(address) and address.is_global and not address.is_multicast


def allowing(*, this_machine: bool = False, private: bool = False) -> Allows:
    """The one rule for every peer that somebody else chose: public addresses; this machine's and private ones only
    with leave. A link's own never, whatever leave there is: clouds answer there with their keys."""

    def allows(address: IPv4Address | IPv6Address) -> bool:
        address = untranslated(address)
        if address.is_loopback:
            return this_machine or private
        near = address.is_private and not address.is_link_local and not is_translated(address)
        return is_public(address) or (private and near)

    return allows


def untranslated(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.7`) as what it is."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_translated(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and any(address in each for each in TRANSLATED)


class Forbidden(OSError):
    """Every address that the name has is one that must not be asked."""


class Watched(AbstractResolver):
    """Names resolved to those of their addresses that may be asked; what is resolved here is what is connected to, so
    a name that turns to another address a moment later gains nothing."""

    def __init__(self, allows: Allows) -> None:
        self.allows = allows
        self.inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self.inner.resolve(host, port, family)
        good = [each for each in found if self.allows(ip_address(each["host"].partition("%")[0]))]
        if found and not good:
            raise Forbidden
        return good

    async def close(self) -> None:
        await self.inner.close()


def literal_allowed(url: str, allows: Allows) -> bool:
    """Whether an address written as numbers may be asked; a name is judged when it is resolved."""
    try:
        return allows(ip_address((urlsplit(url).hostname or "").partition("%")[0]))
    except ValueError:
        return True
