"""The SecurityCredential of an asynchronous call: the initiator's password, for Safaricom's eyes only.

RSA, PKCS #1 v1.5, under the certificate that Safaricom publishes, one for the sandbox and one for production. The
operator supplies the file, PEM or DER (.cer), as the portal hands it out; it expires, and after that Safaricom answers
every call with 2001 as if the password were wrong. So its date is watched.
"""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kaunta.core.errors import KauntaError
from kaunta.core.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

#: PKCS #1 v1.5 needs this many bytes of the key's length for itself.
PADDING_BYTES = 11


class CertificateUnreadable(KauntaError):
    """The file is not a certificate that Safaricom's initiator passwords can be encrypted with."""

    status = 422
    code = "certificate_unreadable"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Certificate:
    """Safaricom's certificate for one environment. `expires_at`: aware, UTC."""

    key: "RSAPublicKey"
    expires_at: datetime


def read_certificate(data: bytes) -> Certificate:
    """A PEM or DER file's certificate. Raises `CertificateUnreadable`."""
    # Certificates bring 2 MB and a fiftieth of the start, for what most bars never ask of Safaricom.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    pem = b"-----BEGIN" in data
    try:
        found = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
        key = found.public_key()
    except ValueError:
        raise CertificateUnreadable("neither a PEM nor a DER certificate") from None
    if not isinstance(key, RSAPublicKey):
        raise CertificateUnreadable("its key is not RSA")
    return Certificate(key, found.not_valid_after_utc)


def security_credential(password: Secret, certificate: Certificate) -> str:
    """base64(RSA PKCS #1 v1.5 (password)). Raises `CertificateUnreadable` where the password is too long for it."""
    from cryptography.hazmat.primitives.asymmetric import padding

    plain = password.reveal().encode()
    if len(plain) > certificate.key.key_size // 8 - PADDING_BYTES:
        raise CertificateUnreadable("its key is too short for this password")
    return b64encode(certificate.key.encrypt(plain, padding.PKCS1v15())).decode()
