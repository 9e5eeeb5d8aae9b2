"""Who may ask for a status, a reversal or a balance, and with which credential.

The acknowledgement never checks any of this; the result does (2001, 21, 8006). A credential is the operator's password,
encrypted with the certificate of the environment: here with the simulator's own, made when somebody asks for it.
"""

import base64
import binascii
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kaunta.simulator.options import Initiator, SimulatorOptions

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

#: Years a certificate is good for.
YEARS = 2


class Initiators:
    """The operators; while there are none, anybody is one."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.known: dict[str, Initiator] = {each.name: each for each in options.initiators}
        self.key: RSAPrivateKey | None = None

    def objection(self, name: str, credential: str, role: str) -> str | None:
        """The result code of a call by this operator that is not allowed; None for one that is."""
        if not name or not credential:
            return "2001"
        if not self.known:
            return None
        found = self.known.get(name)
        if found is None or not self.right(found, credential):
            return "2001"
        if found.locked:
            return "8006"
        return None if role in found.roles else "21"

    def right(self, initiator: Initiator, credential: str) -> bool:
        """Whether the credential holds the password; some clients write a timestamp behind it."""
        if initiator.password is None:
            return True
        try:
            said = self.opened(base64.b64decode(credential, validate=True))
        except (binascii.Error, ValueError):
            return False
        rest = said.removeprefix(initiator.password)
        return said.startswith(initiator.password) and (not rest or (len(rest) == 14 and rest.isdigit()))

    def opened(self, sealed: bytes) -> str:
        """Raises ValueError for what is not encrypted with the certificate."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        return self.private_key().decrypt(sealed, PKCS1v15()).decode()

    def private_key(self) -> "RSAPrivateKey":
        from cryptography.hazmat.primitives.asymmetric import rsa

        if self.key is None:
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.key

    def certificate(self, now: datetime) -> bytes:
        """PEM, to encrypt an operator's password with."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding

        key = self.private_key()
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Daraja simulator")])
        start = now - timedelta(days=1)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=365 * YEARS))
            .sign(key, hashes.SHA256())
        )
        return built.public_bytes(Encoding.PEM)
