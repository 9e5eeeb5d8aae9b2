"""No test speaks to the world: a connection or a look-up beyond this machine is an error, wherever it comes from."""

import ipaddress
import sys
from typing import Any

LOCAL_NAMES = frozenset({"", "localhost", "0.0.0.0", "::"})


class LeftTheMachine(BaseException):
    """A test tried to reach another machine. Not an Exception: no handler of ours may take it for a network fault."""


def is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host is None or not isinstance(host, str) or host in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        # A name under .invalid never resolves (RFC 6761): the way to test a host that is not there.
        return host.endswith((".invalid", ".localhost"))


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        host: object = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not is_local(host):
        raise LeftTheMachine(f"{event} to {host!r}")


sys.addaudithook(watch)
