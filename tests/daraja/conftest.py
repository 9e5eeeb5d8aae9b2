"""What the Daraja tests stand on: two misbehaving peers for Safaricom's two hosts, and a client that knows them."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kaunta.core.clock import Clock
from kaunta.core.outbound import Outbound
from kaunta.core.phone import Msisdn
from kaunta.core.secret import Secret
from kaunta.daraja.client import Credential, DarajaClient, ExchangeRecord, Patience, PushRequest

from .peer import Peer, listening

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def sample() -> Callable[[str], object]:
    """The payload of a published sample, by file name without `.json`."""

    def load(name: str) -> object:
        return json.loads((SAMPLES / f"{name}.json").read_text())["payload"]

    return load


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound() as gateway:
        yield gateway


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """Stands where Daraja's sandbox is."""
    async with listening() as one:
        yield one


@pytest.fixture
async def production() -> AsyncIterator[Peer]:
    """Stands where Daraja's production host is."""
    async with listening() as one:
        yield one


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate for loopback in one PEM file: nobody's authority signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "peer.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + signed.public_bytes(Encoding.PEM))
    return file


@pytest.fixture
async def tls_peer(certificate: Path) -> AsyncIterator[Peer]:
    """A peer behind TLS whose certificate the system does not trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with listening(context) as one:
        yield one


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of loopback that refuses connections: bound, so nobody else gets it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def records() -> list[ExchangeRecord]:
    return []


@pytest.fixture
def patience() -> Patience:
    """Long enough for a busy machine, short enough for a peer that never answers."""
    return Patience(connect=2.0, total=5.0, least=0.01)


@pytest.fixture
async def make_client(outbound: Outbound, records: list[ExchangeRecord]) -> AsyncIterator[Callable[..., DarajaClient]]:
    made: list[DarajaClient] = []

    def make(sandbox: str, production: str = "http://127.0.0.1:9", *, clock: Clock | None = None,
             patience: Patience = Patience(connect=2.0, total=5.0, least=0.01)) -> DarajaClient:  # fmt: skip
        client = DarajaClient(
            outbound,
            clock or Clock(),
            {"sandbox": sandbox, "production": production},
            record=records.append,
            patience=patience,
        )
        made.append(client)
        return client

    yield make
    for client in made:
        await client.close()


@pytest.fixture
async def client(
    make_client: Callable[..., DarajaClient], peer: Peer, production: Peer, patience: Patience
) -> DarajaClient:
    return make_client(peer.url, production.url, patience=patience)


@pytest.fixture
def credential() -> Credential:
    return Credential(
        id=UUID(int=1),
        version=1,
        environment="sandbox",
        business_shortcode="174379",
        till_number=None,
        consumer_key=Secret("key-of-bar-one"),
        consumer_secret=Secret("secret-of-bar-one"),
        passkey=Secret("passkey-of-bar-one"),
    )


@pytest.fixture
def push() -> PushRequest:
    return PushRequest(
        amount=1450,
        phone=Msisdn("254708374149"),
        callback_url="http://127.0.0.1:8000/cb/" + "ab" * 32,
        account_reference="TB-7F3K",
        description="Bar tab",
    )


@pytest.fixture
def ack() -> dict[str, str]:
    return {
        "MerchantRequestID": "2654-4b64-97ff-b827b542881d3130",
        "CheckoutRequestID": "ws_CO_191220191020363925708374149",
        "ResponseCode": "0",
        "ResponseDescription": "Success. Request accepted for processing",
        "CustomerMessage": "Success. Request accepted for processing",
    }
