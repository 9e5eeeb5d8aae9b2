"""Which guest is this? A random cookie, of which the server keeps the hash: it knows the phone's tab and payments."""

import re
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request, Response

from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.guests import device_hash

#: The cookie, and how long it lasts: an evening.
DEVICE, SECONDS = "kaunta_guest", 12 * 3600

TOKEN = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, repr=False)
class Device:
    """A guest's browser."""

    token: str
    known: bool

    @property
    def hash(self) -> bytes:
        return device_hash(self.token)


def device_of(request: Request, rt: Runtime) -> Device:
    """The browser that asks; one without a cookie gets a new token, to be set with `remember`."""
    token = request.cookies.get(DEVICE, "")
    if TOKEN.fullmatch(token):
        return Device(token, known=True)
    return Device(rt.entropy.token(), known=False)


def remember(response: Response, rt: Runtime, device: Device) -> Response:
    """Set the cookie that the browser does not have yet."""
    if not device.known:
        secure = rt.settings.public_url.startswith("https://")
        response.set_cookie(
            DEVICE, device.token, max_age=SECONDS, httponly=True, samesite="lax", secure=secure, path="/"
        )
    return response


async def payments_of_device(db: Connection, rt: Runtime, device: Device, bar_id: UUID) -> list[UUID]:
    """The payments this browser started at a bar this evening, newest first."""
    return await queries.own_payments(db, bar_id, device.hash, rt.clock.before(SECONDS)) if device.known else []
