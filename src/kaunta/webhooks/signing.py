"""Signatures by the Standard Webhooks specification (standardwebhooks.com, 1.0): whoever holds the secret can tell
that a message is ours, whole, and of now.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from kaunta.core.entropy import Entropy
from kaunta.core.secret import Secret

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret(entropy: Entropy) -> Secret:
    """A secret as receivers' libraries read it: `whsec_` and base64."""
    return Secret(PREFIX + base64.b64encode(entropy.bytes(SECRET_BYTES)).decode())


def signed_headers(secret: Secret, id_: UUID, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of one try: the signature covers the message's id, the time of this try and the body."""
    name, stamp = f"msg_{id_.hex}", str(int(at.timestamp()))
    key = base64.b64decode(secret.reveal().removeprefix(PREFIX))
    signature = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
