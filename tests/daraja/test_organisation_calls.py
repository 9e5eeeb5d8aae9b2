"""Status, reversal, balance, C2B and Pull: what is sent, what an answer is worth, and who may read the password."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outcome
from kaunta.core.secret import Secret
from kaunta.daraja.asynchronous import CallAccepted, Initiator, ReplyTo, judge_call, reversal_request, status_request
from kaunta.daraja.calls import Credential
from kaunta.daraja.direct import Pulled, PullFailed, PullSubscribed, judge_pull, judge_pull_registration, pull_request
from kaunta.daraja.outcomes import NoAnswer, NotSent, Rejected
from kaunta.daraja.requests import FieldRefused
from kaunta.daraja.security_credential import CertificateUnreadable, read_certificate, security_credential

NOW = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
REPLY = ReplyTo("https://pay.example.co.ke/result/0", "https://pay.example.co.ke/result/0/timeout")
WHO = Initiator("testapi", Secret("encrypted"))
CREDENTIAL = Credential(
    UUID(int=1), 1, "sandbox", "600984", None, Secret("key"), Secret("secret"), Secret("passkey")
)  # fmt: skip


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encoding: Encoding) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Daraja")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=365))
    return builder.sign(key, hashes.SHA256()).public_bytes(encoding)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_only_safaricom_reads_the_password(key: rsa.RSAPrivateKey, encoding: Encoding) -> None:
    found = read_certificate(certificate(key, encoding))
    assert found.expires_at == NOW + timedelta(days=365)
    sealed = security_credential(Secret("Safaricom999!*!"), found)
    assert key.decrypt(base64.b64decode(sealed), padding.PKCS1v15()) == b"Safaricom999!*!"
    assert sealed != security_credential(Secret("Safaricom999!*!"), found), "never the same twice"


def test_a_file_that_is_no_such_certificate_is_refused(key: rsa.RSAPrivateKey) -> None:
    wrong = certificate(ec.generate_private_key(ec.SECP256R1()), Encoding.PEM)
    for data in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\x30\x00", wrong):
        with pytest.raises(CertificateUnreadable):
            read_certificate(data)
    with pytest.raises(CertificateUnreadable):
        security_credential(Secret("x" * 300), read_certificate(certificate(key, Encoding.DER)))


def test_what_is_sent_has_darajas_own_spelling() -> None:
    body = reversal_request(CREDENTIAL, WHO, REPLY, receipt="SKE52PAWR9", amount=200, remarks="Refund")
    assert body["RecieverIdentifierType"] == "11"
    assert (body["CommandID"], body["Amount"], body["ReceiverParty"]) == ("TransactionReversal", 200, "600984")
    asked = status_request(CREDENTIAL, WHO, REPLY, receipt=None, conversation_id="f1e2-1")
    assert (asked["TransactionID"], asked["OriginalConversationID"]) == ("", "f1e2-1")
    with pytest.raises(FieldRefused):
        reversal_request(CREDENTIAL, WHO, REPLY, receipt="SKE52PAWR9", amount=200, remarks="")
    assert "encrypted" not in repr(WHO)
    listed = pull_request("600984", NOW - timedelta(hours=48), NOW, 0)
    assert (listed["StartDate"], listed["OffSetValue"]) == ("2026-11-18 20:30:00", "0")


@pytest.mark.parametrize(
    ("outcome", "worth"),
    [
        (Answer(200, {}, b'{"ResponseCode":"0","ConversationID":"AG_1"}', 1), CallAccepted),
        (Answer(200, {}, b'{"ResponseCode":"00000000","OriginatorCoversationID":"f1-1"}', 1), CallAccepted),
        (Answer(200, {}, b'{"ResponseCode":"1","ResponseDescription":"no"}', 1), Rejected),
        (Answer(400, {}, b'{"errorCode":"400.002.02","errorMessage":"Invalid TransactionID"}', 1), Rejected),
        (Answer(502, {}, b"<html>", 1), NoAnswer),
        (Answer(503, {}, b'{"fault":{"faultstring":"x","detail":{"errorcode":"y"}}}', 1), NoAnswer),
        (Answer(200, {}, b"", 1), NoAnswer),
        (AfterSend("timeout"), NoAnswer),
        (BeforeSend("dns"), NotSent),
    ],
)  # fmt: skip
def test_the_four_answers_to_a_call_that_moves_money(outcome: Outcome, worth: type[object]) -> None:
    assert type(judge_call(outcome)) is worth


def test_a_list_and_a_subscription() -> None:
    row = b'{"transactionId":"yzlyrEsRG1","trxDate":"2020-08-05T10:13:00Z","msisdn":72200000,"amount":"168.00"}'
    page = judge_pull(Answer(200, {}, b'{"ResponseCode":"1000","Response":[[' + row + b"]]}", 1))
    assert isinstance(page, Pulled)
    assert [each.receipt for each in page.payments] == ["yzlyrEsRG1"]
    assert judge_pull(Answer(200, {}, b'{"ResponseCode":"1001","Response":[[]]}', 1)) == Pulled(())
    assert judge_pull(Answer(200, {}, b'{"ResponseCode":"1001"}', 1)) == Pulled(())
    refused = judge_pull(Answer(401, {}, b'{"errorCode":"401.001","errorMessage":"no apiproduct match"}', 1))
    assert isinstance(refused, PullFailed)
    assert refused.not_subscribed
    for status in ("1000", "1001"):
        done = judge_pull_registration(Answer(200, {}, b'{"ResponseStatus":"%s"}' % status.encode(), 1))
        assert done == PullSubscribed(status)
    assert isinstance(judge_pull_registration(AfterSend("timeout")), NoAnswer)
