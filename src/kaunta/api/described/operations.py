"""Every call of the API: who may make it, what it answers, and each refusal it knows. A route without its line here
fails a test.

Errors that any call may meet (the database away, something unforeseen) are added by `document`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from kaunta.access.api_keys import TooManyRequests
from kaunta.access.roles import RoleRefused
from kaunta.access.sessions import ProofNeeded
from kaunta.api.described import answers as a
from kaunta.api.described import settings_answers as s
from kaunta.api.diagnostics import ForAdministrators
from kaunta.bars.mpesa_switch import NoCredentials, SwitchFailed
from kaunta.bars.mpesa_wanted import (
    ConfirmationRequired,
    CredentialsNotAccepted,
    PaymentsInFlight,
    SafaricomUnreachable,
    SecretsUnreadable,
    SettingsChanged,
)
from kaunta.core.errors import BadRequest, Forbidden, KauntaError, NotFound, SignInNeeded
from kaunta.core.phone import PhoneRefused
from kaunta.credentials.store import CredentialRefused
from kaunta.daraja.requests import CallbackUrlRefused, FieldRefused
from kaunta.payments import errors as p
from kaunta.payments.c2b_addresses import RegisteredAlready
from kaunta.payments.initiators import InitiatorRefused
from kaunta.payments.pull import PullRefused
from kaunta.tabs.errors import AmountRefused, TabClosed, TabNotFound
from kaunta.webhooks.delivering import MessageNotFound


class Who(StrEnum):
    """How a caller shows who they are."""

    ANYONE = "anyone"
    GUEST = "whoever holds the reference in the address or the body, which nobody can guess"
    MACHINE = "a key of the bar with the scope named, or a person of the bar by session"
    PERSON = "a person of the bar by session"
    ADMINISTRATOR = "a key of the scope `diagnostics`, or an administrator by session"
    SAFARICOM = "Safaricom, by the secret in the address"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `media`: what it answers in, where that is no JSON; `also`: answers that are no problem and no body;
    `body`: an example of what is sent."""

    summary: str
    who: Who
    answer: type[BaseModel] | None = None
    refusals: tuple[type[KauntaError], ...] = ()
    status: int = 200
    scope: str | None = None
    media: str = "application/json"
    also: Mapping[int, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


MACHINE = (SignInNeeded, Forbidden, NotFound, BadRequest, TooManyRequests)
PERSON = (SignInNeeded, RoleRefused, NotFound, BadRequest)
PUSH = (
    BadRequest, PhoneRefused, p.PhoneNotForSandbox, p.AttemptOpen, p.UnknownUnacknowledged, p.RetryRefused, TabClosed,
    AmountRefused, p.KeyReused, p.TooManyPrompts, p.PromptsBlocked, p.AddressBlocked, p.MpesaUnavailable,
    FieldRefused,
)  # fmt: skip
NAMED = {"barId": a.BAR, "mpesa_environment": "sandbox"}
SECRETS = {
    "mpesa_business_shortcode": "174379",
    "mpesa_consumer_key": "the key from Safaricom's portal",
    "mpesa_consumer_secret": "the secret from Safaricom's portal",
    "mpesa_passkey": "the passkey from Safaricom's portal",
}

PAYMENTS = "/api/payments/mpesa"
SETTINGS = "/api/mpesa-settings"

OPERATIONS: dict[str, Operation] = {
    f"POST {PAYMENTS}/initiate": Operation(
        "Start a payment",
        Who.GUEST,
        a.Started,
        (*PUSH, TabNotFound),
        202,
        body={"tabId": "Zk3v9Qw1Xr7Lb2Nn5Tt8Aa", "phoneNumber": "0708374149", "amount": 400},
    ),
    f"POST {PAYMENTS}/retry/{{payment_id}}": Operation(
        "Try a payment again",
        Who.GUEST,
        a.Started,
        (*PUSH, p.PaymentNotFound),
        202,
        body={"acknowledgeUnknown": True},
    ),
    f"GET {PAYMENTS}/status/{{payment_id}}": Operation(
        "Where a payment stands",
        Who.GUEST,
        a.Payment,
        (BadRequest, p.PaymentNotFound),
        also={304: "Nothing has changed since the answer whose ETag was sent as If-None-Match."},
    ),
    f"GET {PAYMENTS}/transactions": Operation(
        "A bar's payments, newest first", Who.MACHINE, a.Transactions, MACHINE, scope="payments:read"
    ),
    "GET /api/webhooks/messages": Operation(
        "What a bar's webhooks were told", Who.MACHINE, a.Messages, MACHINE, scope="payments:read"
    ),
    "POST /api/webhooks/messages/{message_id}/redeliver": Operation(
        "Send a webhook's message again",
        Who.MACHINE,
        a.Done,
        (*MACHINE, RoleRefused, MessageNotFound),
        202,
        scope="payments:write",
    ),
    "GET /api/bars/{bar_id}/payment-methods": Operation(
        "What guests may pay with now", Who.ANYONE, a.PaymentMethods, (BadRequest, NotFound)
    ),
    "GET /api/bars/{bar_id}/payment-methods/events": Operation(
        "Says when that may have changed",
        Who.ANYONE,
        None,
        (BadRequest, NotFound),
        media="text/event-stream",
    ),
    f"GET {SETTINGS}": Operation("A bar's M-Pesa settings", Who.PERSON, s.Settings, PERSON),
    f"POST {SETTINGS}": Operation(
        "Change a bar's M-Pesa settings",
        Who.PERSON,
        s.Saved,
        (
            *PERSON,
            ProofNeeded,
            CredentialRefused,
            ConfirmationRequired,
            PaymentsInFlight,
            SecretsUnreadable,
            SettingsChanged,
            NoCredentials,
            CredentialsNotAccepted,
            SafaricomUnreachable,
            SwitchFailed,
        ),
        body=NAMED | {"mpesa_enabled": True} | SECRETS,
    ),
    f"POST {SETTINGS}/test": Operation(
        "Test the connection to Safaricom", Who.PERSON, s.Tested, (*PERSON, CredentialRefused), body=NAMED
    ),
    f"POST {SETTINGS}/test-payment": Operation(
        "A payment of one shilling",
        Who.PERSON,
        a.Started,
        (
            *PERSON,
            PhoneRefused,
            p.PhoneNotForSandbox,
            ConfirmationRequired,
            p.TooManyPrompts,
            p.MpesaUnavailable,
            p.AttemptOpen,
            p.UnknownUnacknowledged,
            p.RetryRefused,
            FieldRefused,
        ),
        202,
        body=NAMED | {"phoneNumber": "0708374149"},
    ),
    f"GET {SETTINGS}/direct": Operation("How direct payments are set up", Who.PERSON, s.Direct, PERSON),
    f"POST {SETTINGS}/c2b": Operation(
        "Register for direct payments",
        Who.PERSON,
        s.Registered,
        (*PERSON, NoCredentials, RegisteredAlready, FieldRefused, CallbackUrlRefused),
        body=NAMED | {"register": True, "api_version": "v2", "response_type": "Completed"},
    ),
    f"POST {SETTINGS}/initiator": Operation(
        "In whose name money is given back",
        Who.PERSON,
        s.InitiatorSaved,
        (*PERSON, ProofNeeded, InitiatorRefused, NoCredentials),
        body=NAMED | {"mpesa_initiator_name": "barapi", "mpesa_initiator_password": "the initiator's password"},
    ),
    f"POST {SETTINGS}/pull": Operation(
        "Subscribe to the list of payments",
        Who.PERSON,
        a.Done,
        (*PERSON, NoCredentials, PhoneRefused, PullRefused, FieldRefused),
        body=NAMED | {"nominated_number": "0708374149"},
    ),
    "GET /api/diagnostics/mpesa": Operation(
        "What is wrong, the cause first",
        Who.ADMINISTRATOR,
        s.Diagnosis,
        (SignInNeeded, ForAdministrators, TooManyRequests),
        scope="diagnostics",
    ),
    "GET /api/diagnostics/fingerprints": Operation(
        "Fingerprints to compare hosts by",
        Who.ADMINISTRATOR,
        s.Fingerprints,
        (SignInNeeded, ForAdministrators, TooManyRequests),
        scope="diagnostics",
    ),
    "GET /healthz": Operation("The process answers", Who.ANYONE, a.Alive),
    "GET /readyz": Operation("Ready to take money", Who.ANYONE, a.Ready),
    "GET /metrics": Operation("For Prometheus", Who.ANYONE, None, media="text/plain"),
}
