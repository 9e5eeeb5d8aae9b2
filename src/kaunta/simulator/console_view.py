"""What the console shows of an exchange or a message: exactly what was sent, laid out to be read.

Of an Authorization header only the kind is shown, here and in the curl lines that a person may copy.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from shlex import quote

from kaunta.simulator.clock import EAT
from kaunta.simulator.exchanges import Exchange, Way
from kaunta.simulator.outbox import Outbox
from kaunta.simulator.pushes import Message
from kaunta.simulator.replies import REPLIES

#: What each API is called on the pages.
APIS = {
    "oauth": "OAuth",
    "push": "STK push",
    "query": "STK query",
    "c2b_register": "C2B register",
    "c2b_simulate": "C2B simulate",
    "status": "Transaction status",
    "reversal": "Reversal",
    "balance": "Account balance",
    "pull_register": "Pull register",
    "pull_query": "Pull query",
    "qr": "Dynamic QR",
    "stk": "STK callback",
    "confirmation": "C2B confirmation",
    "validation": "C2B validation",
    "unknown": "No API",
}
#: Headers that curl writes by itself.
BY_ITSELF = ("host", "content-length", "connection", "accept-encoding", "user-agent", "accept", "authorization")


def clock_time(moment: datetime) -> str:
    return f"{moment.astimezone(EAT):%H:%M:%S}"


def api_name(api: str, way: Way) -> str:
    name = APIS.get(api, api)
    return f"{name} result" if way is Way.OUT and api in ("status", "reversal", "balance") else name


def row_view(exchange: Exchange) -> dict[str, object]:
    """An exchange as a line of the list."""
    return {
        "number": exchange.number,
        "time": clock_time(exchange.at),
        "out": exchange.way is Way.OUT,
        "api": api_name(exchange.api, exchange.way),
        "status": exchange.status or "none",
        "bad": exchange.status is None or exchange.status >= 400,
        "gist": gist(exchange.body) if exchange.way is Way.OUT else wish(exchange.body),
        "verdict": exchange.verdict,
        "ms": exchange.ms,
    }


def exchange_view(exchange: Exchange, base: str) -> dict[str, object]:
    """An exchange in full; `base` is the simulator's own address."""
    out = exchange.way is Way.OUT
    return row_view(exchange) | {
        "method": exchange.method,
        "url": exchange.url,
        "asked_headers": shown_headers(exchange.headers),
        "asked": laid_out(exchange.body),
        "answer_headers": shown_headers(exchange.answer_headers),
        "answer": laid_out(exchange.answer),
        "answered": answered(exchange),
        "message": exchange.about if out else "",
        "about": "" if out else exchange.about,
        "curl": curl(exchange, base),
    }


def answered(exchange: Exchange) -> str:
    if exchange.status is None:
        return exchange.problem or "no answer"
    try:
        return f"{exchange.status} {HTTPStatus(exchange.status).phrase}"
    except ValueError:
        return str(exchange.status)


def shown_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, kind_of(value) if name.lower() == "authorization" else value) for name, value in headers.items()]


def kind_of(authorization: str) -> str:
    """Bearer or Basic, and no more."""
    kind, _, rest = authorization.partition(" ")
    return f"{kind} (not shown)" if rest else "(not shown)"


def laid_out(body: bytes) -> str:
    """JSON on lines of its own, every character as it was sent (1450.00 stays 1450.00); anything else as it is."""
    said = body.decode(errors="replace")
    try:
        json.loads(said)
    except ValueError:
        return said
    return "".join(indented(said))


def indented(said: str) -> Iterator[str]:
    depth, quoted, escaped, before = 0, False, False, ""
    for letter in said:
        if quoted:
            yield letter
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
            continue
        if letter.isspace():
            continue
        if before in "{[" and before and letter not in "}]":
            depth += 1
            yield "\n" + "  " * depth
        elif letter in "}]" and before not in "{[":
            depth -= 1
            yield "\n" + "  " * depth
        elif before == ",":
            yield "\n" + "  " * depth
        yield ": " if letter == ":" else letter
        quoted, before = letter == '"', letter


def curl(exchange: Exchange, base: str) -> str:
    """A line for a shell that asks the same; the token is whatever $TOKEN holds."""
    address = exchange.url if exchange.way is Way.OUT else base + exchange.url
    words = ["curl", "-i", "-X", exchange.method, quote(address)]
    kind = next((value for name, value in exchange.headers.items() if name.lower() == "authorization"), "")
    if kind.lower().startswith("basic"):
        words += ["-u", '"$CONSUMER_KEY:$CONSUMER_SECRET"']
    elif kind:
        words += ["-H", '"Authorization: Bearer $TOKEN"']
    for name, value in exchange.headers.items():
        if name.lower() not in BY_ITSELF:
            words += ["-H", quote(f"{name}: {value}")]
    if exchange.body:
        words += ["--data-raw", quote(exchange.body.decode(errors="replace"))]
    return " ".join(words)


def message_view(message: Message, outbox: Outbox) -> dict[str, object]:
    """A message to a merchant as a line of the list."""
    last = message.attempts[-1] if message.attempts else None
    held = message.id in outbox.held
    if last is None:
        state = "held" if held else "not sent"
    else:
        state = f"HTTP {last.status}" if last.status is not None else f"no answer: {last.problem}"
    return {
        "id": message.id,
        "kind": api_name(message.kind, Way.OUT),
        "time": clock_time(last.at) if last else "",
        "phone": message.phone,
        "says": gist(message.body),
        "url": message.url,
        "state": state,
        "held": held,
        "bad": last is not None and (last.status is None or last.status >= 300),
        "attempts": [(clock_time(each.at), each.status or each.problem) for each in message.attempts],
    }


def gist(body: bytes) -> str:
    """What a message says, in a line."""
    try:
        said = json.loads(body)
    except ValueError:
        return f"{len(body):,} bytes that are not JSON" if body else "nothing"
    match said:
        case {"Body": {"stkCallback": {"ResultCode": code, **rest}}}:
            return f"{code}: {rest.get('ResultDesc', '')}"
        case {"Result": {"ResultCode": code, **rest}}:
            return f"{code}: {rest.get('ResultDesc', '')}"
        case {"TransID": receipt, **rest}:
            return f"{receipt}, KES {rest.get('TransAmount', '?')}"
        case _:
            return "JSON of no known kind"


#: What a request is about, by the fields that say so.
WISHES = (
    ("PhoneNumber", "Amount", "KES {Amount} from {PhoneNumber}"),
    ("CheckoutRequestID", "CheckoutRequestID", "{CheckoutRequestID}"),
    ("TransactionID", "Amount", "KES {Amount} of {TransactionID}"),
    ("TransactionID", "TransactionID", "{TransactionID}"),
    ("Msisdn", "Amount", "KES {Amount} from {Msisdn}"),
    ("ShortCode", "ConfirmationURL", "{ShortCode} at {ConfirmationURL}"),
    ("ShortCode", "StartDate", "{ShortCode} from {StartDate}"),
    ("MerchantName", "Amount", "KES {Amount} to {MerchantName}"),
    ("PartyA", "PartyA", "{PartyA}"),
)


def wish(body: bytes) -> str:
    """What a request asks for, in a line; "" where it does not say."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    if isinstance(said, dict):
        for first, second, words in WISHES:
            if first in said and second in said:
                return words.format_map(said)
    return ""


def reply_names() -> dict[str, str]:
    """The replies a fault may have, with what they say."""
    return {name: f"{reply.status or ''} {reply.code} {reply.text}".strip() for name, reply in REPLIES.items()}
