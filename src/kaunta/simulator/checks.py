"""What Daraja refuses before anything rings, in the order of the request's fields.

Always on: what the published errors show. With `strict`, also what production is documented to insist on and the
sandbox lets pass. Texts for Password, PartyA, PartyB and AccountReference are derived from the others.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from kaunta.simulator.clock import EAT
from kaunta.simulator.options import Shortcode, SimulatorOptions
from kaunta.simulator.pushes import BUY_GOODS, PAYBILL, Wanted
from kaunta.simulator.replies import REPLIES, Refused, invalid

#: The body of a request.
Document = Mapping[str, object]
PHONE = re.compile(r"254[17]\d{8}")
SHORTCODE = re.compile(r"\d{5,7}")
TYPES = (PAYBILL, BUY_GOODS)
#: Words the portal bans from callback URLs in any case, and tunnels and request bins that production bans.
FORBIDDEN_WORDS = ("m-pesa", "mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
FORBIDDEN_HOSTS = ("ngrok", "mockbin", "requestbin")
#: How far a strict Timestamp may be from Kenya's time: nearer than the three hours to UTC.
CLOCK_TOLERANCE = timedelta(hours=1)
#: A longer prompt cannot be sent and ends in ResultCode 1025.
LONGEST_PROMPT = 182


def text(body: Document, name: str) -> str:
    """A field as text, whether it came as a string or as a number; "" if it is missing or something else."""
    value = body.get(name)
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | float) else ""


def need(holds: object, field: str) -> None:
    if not holds:
        raise Refused(invalid(field))


def wanted_push(body: Document, options: SimulatorOptions, now: datetime) -> Wanted:
    """The push a request asks for; raises `Refused` with Daraja's words."""
    shortcode, stamp = text(body, "BusinessShortCode"), text(body, "Timestamp")
    need(SHORTCODE.fullmatch(shortcode), "BusinessShortCode")
    check_timestamp(stamp, options, now)
    kind = text(body, "TransactionType")
    need(kind in TYPES, "TransactionType")
    amount = whole_shillings(text(body, "Amount"))
    payer, payee, phone = text(body, "PartyA"), text(body, "PartyB"), text(body, "PhoneNumber")
    need(PHONE.fullmatch(payer), "PartyA")
    need(SHORTCODE.fullmatch(payee), "PartyB")
    need(PHONE.fullmatch(phone), "PhoneNumber")
    url = text(body, "CallBackURL")
    check_url(url, "CallBackURL", options)
    reference, description = text(body, "AccountReference"), text(body, "TransactionDesc")
    need(reference and (not options.strict or len(reference) <= 12), "AccountReference")
    need(description and (not options.strict or len(description) <= 13), "Remarks")
    check_merchant(shortcode, text(body, "Password"), stamp, options)
    return Wanted(shortcode, kind, amount, payer, payee, phone, url, reference, description)


def whole_shillings(said: str) -> int:
    need(re.fullmatch(r"\d{1,9}(\.0+)?", said), "Amount")
    amount = int(said.partition(".")[0])
    need(amount >= 1, "Amount")
    return amount


def check_timestamp(stamp: str, options: SimulatorOptions, now: datetime) -> None:
    need(re.fullmatch(r"\d{14}", stamp), "Timestamp")
    try:
        moment = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=EAT)
    except ValueError:
        raise Refused(REPLIES["invalid_timestamp"]) from None
    need(not options.strict or abs(moment - now) <= CLOCK_TOLERANCE, "Timestamp")


def check_merchant(shortcode: str, password: str, stamp: str, options: SimulatorOptions) -> Shortcode:
    """The business, if the password is base64(shortcode + passkey + timestamp) of this very request."""
    business = options.business(shortcode)
    if business is None:
        raise Refused(REPLIES["merchant_unknown"])
    try:
        said = base64.b64decode(password, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(REPLIES["wrong_credentials"]) from None
    if business.passkey is None:
        right = said.startswith(shortcode) and said.endswith(stamp) and len(said) > len(shortcode) + len(stamp)
    else:
        right = said == f"{shortcode}{business.passkey}{stamp}"
    if not right:
        raise Refused(REPLIES["wrong_credentials"])
    return business


def check_url(url: str, field: str, options: SimulatorOptions) -> None:
    need(usable_url(url) and (not options.strict or production_url(url)), field)


def usable_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", url) and port_is_number


def production_url(url: str) -> bool:
    """Production's rules: https, a public host in lower case, none of the banned words."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        public = ipaddress.ip_address(host).is_global
    except ValueError:
        public = "." in host and not host.endswith((".local", ".localhost", ".internal"))
    return (
        parts.scheme == "https"
        and public
        and parts.netloc == parts.netloc.lower()
        and not any(word in url.lower() for word in FORBIDDEN_WORDS)
        and not any(word in host for word in FORBIDDEN_HOSTS)
    )


def prompt_text(wanted: Wanted, business_name: str) -> str:
    """What the phone shows."""
    account = f" Account no. {wanted.reference}" if wanted.transaction_type == PAYBILL else ""
    return f"Do you want to pay KES {wanted.amount:,} to {business_name}{account}?"


def verdict(wanted: Wanted, options: SimulatorOptions) -> str | None:
    """The result code of a push that is taken on and yet cannot be paid, whoever holds the phone."""
    business = options.business(wanted.shortcode)
    if business is not None and business.till is not None:
        if wanted.transaction_type != BUY_GOODS:
            return "2028"
        if wanted.party_b != business.till:
            return "SFC_IC0003"
    if wanted.amount > options.max_amount:
        return "3"
    if len(prompt_text(wanted, options.name_of(wanted.shortcode))) > LONGEST_PROMPT:
        return "1025"
    return None
