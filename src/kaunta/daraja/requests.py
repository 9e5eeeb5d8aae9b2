"""What we send: the bodies of an STK push and its query, built in one place that knows every limit.

Whatever Daraja would refuse is refused here, before anything leaves (daraja.md §1). Numbers go out as numbers: text in
PhoneNumber is said to end silently in 1037. The timestamp is Kenyan time, wherever the host stands.
"""

import ipaddress
import re
from base64 import b64encode
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from kaunta.core.clock import EAT
from kaunta.core.errors import KauntaError
from kaunta.core.phone import Msisdn
from kaunta.core.secret import Secret

#: Daraja's documented lengths. TransactionDesc may not be left out ("Invalid Remarks").
LONGEST_REFERENCE = 12
LONGEST_DESCRIPTION = 13
LEAST_AMOUNT = 1

MSISDN = re.compile(r"254[17]\d{8}", re.ASCII)
#: 5 to 7 digits are documented; nobody has published the limits of all shortcodes, so Daraja decides beyond that.
SHORTCODE = re.compile(r"\d{4,10}", re.ASCII)
#: One printable line without what markup or a shell would take for its own.
PLAIN = re.compile(r"[A-Za-z0-9 ._#/-]+", re.ASCII)

#: Words Daraja forbids in a URL, in any case; the path is ours and hexadecimal, so the host is what can carry them.
FORBIDDEN_WORDS = ("m-pesa", "mpesa", "safaricom", "exec", "exe", "cmd", "sql", "query")
#: Public tunnels and recorders, refused in production.
TUNNELS = ("ngrok", "mockbin", "requestbin")


class FieldRefused(KauntaError):
    """The payment request does not fit M-Pesa's rules."""

    status = 422
    code = "daraja_field"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field=field, reason=reason)
        self.field = field
        self.reason = reason


class CallbackUrlRefused(KauntaError):
    """Safaricom would not accept the callback address."""

    status: ClassVar[int] = 422
    code = "callback_url"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


def timestamp(at: datetime) -> str:
    """`yyyyMMddHHmmss` in EAT; `at` must be aware."""
    if at.tzinfo is None:
        raise ValueError("a timestamp needs an aware moment")
    return at.astimezone(EAT).strftime("%Y%m%d%H%M%S")


def password(shortcode: str, passkey: Secret, stamp: str) -> str:
    """base64(shortcode + passkey + timestamp). It contains the passkey: it is a secret too."""
    return b64encode(f"{shortcode}{passkey.reveal()}{stamp}".encode()).decode()


def stk_push_request(
    *,
    shortcode: str,
    till_number: str | None,
    passkey: Secret,
    at: datetime,
    amount: int,
    phone: Msisdn,
    callback_url: str,
    account_reference: str,
    description: str,
) -> dict[str, object]:
    """The body of `/mpesa/stkpush/v1/processrequest`.

    Paybill: PartyB is the shortcode. Till: `shortcode` is the store number, PartyB the till. Raises `FieldRefused`.
    """
    checked("BusinessShortCode", shortcode, SHORTCODE, 10)
    checked("PhoneNumber", phone, MSISDN, 12)
    checked("AccountReference", account_reference, PLAIN, LONGEST_REFERENCE)
    checked("TransactionDesc", description, PLAIN, LONGEST_DESCRIPTION)
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < LEAST_AMOUNT:
        raise FieldRefused("Amount", "not whole shillings from 1")
    if till_number is None:
        kind, receiver = "CustomerPayBillOnline", shortcode
    else:
        checked("PartyB", till_number, SHORTCODE, 10)
        kind, receiver = "CustomerBuyGoodsOnline", till_number
    try:
        # Whether the host must be public is a matter of the installation's mode, checked when it is set up.
        check_callback_url(callback_url, "sandbox")
    except CallbackUrlRefused as error:
        raise FieldRefused("CallBackURL", error.reason) from None
    stamp = timestamp(at)
    return {
        "BusinessShortCode": int(shortcode),
        "Password": password(shortcode, passkey, stamp),
        "Timestamp": stamp,
        "TransactionType": kind,
        "Amount": amount,
        "PartyA": int(phone),
        "PartyB": int(receiver),
        "PhoneNumber": int(phone),
        "CallBackURL": callback_url,
        "AccountReference": account_reference,
        "TransactionDesc": description,
    }


def stk_query_request(*, shortcode: str, passkey: Secret, at: datetime, checkout_request_id: str) -> dict[str, object]:
    """The body of `/mpesa/stkpushquery/v1/query`. Raises `FieldRefused`."""
    checked("BusinessShortCode", shortcode, SHORTCODE, 10)
    stamp = timestamp(at)
    return {
        "BusinessShortCode": int(shortcode),
        "Password": password(shortcode, passkey, stamp),
        "Timestamp": stamp,
        "CheckoutRequestID": checkout_request_id,
    }


def checked(field: str, text: str, form: re.Pattern[str], longest: int) -> None:
    if len(text) > longest:
        raise FieldRefused(field, f"longer than {longest}")
    if not form.fullmatch(text):
        raise FieldRefused(field, "empty or not in its form")


def check_callback_url(url: str, environment: str) -> None:
    """Whether Daraja would take this CallBackURL; raises `CallbackUrlRefused` with a short reason.

    Production: HTTPS, a public host, no tunnel. Everywhere: no space, no upper case in the host (one was rejected as
    `Invalid CallBackURL`), no forbidden word in the host (rulings 14).
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise CallbackUrlRefused("spaces or unprintable characters")
    try:
        parts = urlsplit(url)
        written_host = parts.netloc.rpartition("@")[2].partition(":")[0]
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise CallbackUrlRefused("not a URL") from error
    if parts.scheme not in ("http", "https") or not host:
        raise CallbackUrlRefused("not a URL")
    if parts.username is not None or parts.query or parts.fragment:
        raise CallbackUrlRefused("more than a host and a path")
    if written_host != written_host.lower():
        raise CallbackUrlRefused("upper case in the host")
    for word in FORBIDDEN_WORDS:
        if word in host:
            raise CallbackUrlRefused(f"the host contains the word {word!r}, which Safaricom forbids")
    if environment == "production":
        if parts.scheme != "https":
            raise CallbackUrlRefused("production needs https")
        if any(tunnel in host for tunnel in TUNNELS):
            raise CallbackUrlRefused("a tunnel, which Safaricom forbids in production")
        if not is_public(host):
            raise CallbackUrlRefused("not a public host")


def is_public(host: str) -> bool:
    """Whether Safaricom could reach this host at all."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".test"))
