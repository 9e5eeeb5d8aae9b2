"""Which guest is this? A random cookie, of which the server keeps the hash, and the payment started last."""

import re
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request, Response

from kaunta.core.runtime import Runtime
from kaunta.tabs.guests import device_hash

#: The device, and the payment it started last (so that a reopened code leads back to it). An evening long.
DEVICE, PAYMENT, SECONDS = "kaunta_guest", "kaunta_payment", 12 * 3600

TOKEN = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, repr=False)
class Device:
    """A guest's browser. `payment` is the id of the payment it started last, as its cookie says."""

    token: str
    payment: str | None
    known: bool

    @property
    def hash(self) -> bytes:
        return device_hash(self.token)


def device_of(request: Request, rt: Runtime) -> Device:
    """The browser that asks; one without a cookie gets a new token, to be set with `remember`."""
    token = request.cookies.get(DEVICE, "")
    payment = request.cookies.get(PAYMENT)
    if TOKEN.fullmatch(token):
        return Device(token, payment, known=True)
    return Device(rt.entropy.token(), payment, known=False)


def remember(response: Response, rt: Runtime, device: Device, payment: UUID | None = None) -> Response:
    """Set the cookies that the browser does not have yet."""
    secure = rt.settings.public_url.startswith("https://")
    wanted = {} if device.known else {DEVICE: device.token}
    if payment is not None:
        wanted[PAYMENT] = str(payment)
    for name, value in wanted.items():
        response.set_cookie(name, value, max_age=SECONDS, httponly=True, samesite="lax", secure=secure, path="/")
    return response
