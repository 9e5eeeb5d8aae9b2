"""A browser that somebody has signed in with before is known by a cookie, for one name.

Behind a bar's Wi-Fi everybody has one address, guests too: whoever types wrong passwords there must not be able to keep
the owner out. So tries from a known browser are counted apart. The cookie opens nothing: it is a name's own count.
"""

import hmac
from datetime import datetime

from kaunta.core.runtime import Runtime

KNOWN_SECONDS = 180 * 86_400.0
LONGEST = 200


def mark_of(rt: Runtime, user: str, until: str, nonce: str) -> str:
    return rt.keys.index("known_device", f"{user.lower()}|{until}|{nonce}").hex()


def known_device(rt: Runtime, user: str, until: datetime) -> str:
    """A new cookie's value: it says until when it is good and nothing about whose it is."""
    moment, nonce = str(int(until.timestamp())), rt.entropy.ref()
    return f"{moment}.{nonce}.{mark_of(rt, user, moment, nonce)}"


def device_hash(rt: Runtime, user: str, cookie: str | None) -> bytes | None:
    """What the tries of a known browser are counted under; None where it is not known for this name."""
    if not cookie or len(cookie) > LONGEST or not cookie.isascii():
        return None
    moment, _, rest = cookie.partition(".")
    nonce, _, mark = rest.partition(".")
    if not moment.isdigit() or int(moment) <= rt.clock.now().timestamp():
        return None
    if not hmac.compare_digest(mark, mark_of(rt, user, moment, nonce)):
        return None
    return rt.keys.index("known_device_tries", cookie)
