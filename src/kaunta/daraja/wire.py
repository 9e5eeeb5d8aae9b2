"""Reading what arrives: Safaricom's JSON, taken as it comes.

Numbers arrive as numbers, as text and as structures; dates as numbers; fields without values; the same field twice.
Each reader here takes every published variation of one kind of value (daraja.md §2) and answers None for what it
cannot read, so that a cosmetic field never costs a payment. Only what is no object of ours at all is `Malformed`.
What comes out is fit to be stored: no NUL and no half surrogate, which PostgreSQL refuses, and no endless text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from kaunta.core.clock import EAT

#: Longest body read, bytes; the doors refuse longer ones before this.
LONGEST_BODY = 1 << 20
#: Longest identifier kept. Daraja's are under 64 characters.
LONGEST_ID = 128
LONGEST_TEXT = 500
#: Above M-Pesa's own limits by far; a larger number is not an amount.
LARGEST_AMOUNT = Decimal(10**9)

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
PLAIN_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,10})?|[+-]?\d{1,3}(,\d{3})+(\.\d{1,10})?", re.ASCII)
#: `{Amount={CurrencyCode=KES, MinimumAmount=3200990, BasicAmount=32009.90}}`
STRUCTURED_AMOUNT = re.compile(r"BasicAmount=([+-]?\d{1,30}(?:\.\d{1,10})?)", re.ASCII)
STAMP = re.compile(r"\d{14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not the message it should be. `reason` is a short word; nothing of the content is in it."""

    reason: str


def no_constant(name: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def read_json(body: bytes) -> object | Malformed:
    """Any JSON value, fractions as `Decimal`; never raises."""
    if len(body) > LONGEST_BODY:
        return Malformed("too_large")
    if not body.strip():
        return Malformed("empty")
    try:
        value: object = json.loads(body, parse_float=Decimal, parse_constant=no_constant)
    except UnicodeDecodeError:
        return Malformed("not_utf8")
    except RecursionError:
        return Malformed("too_deep")
    except (ValueError, InvalidOperation):
        return Malformed("not_json")
    return value


def read_object(body: bytes) -> Mapping[str, object] | Malformed:
    """A JSON object; never raises."""
    value = read_json(body)
    if isinstance(value, Malformed):
        return value
    return value if isinstance(value, dict) else Malformed("not_an_object")


def object_in(value: object, name: str) -> Mapping[str, object]:
    """The object under `name`, or an empty one."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def whole(value: object) -> int | None:
    """A whole number from 7, 7.0, "7" or "7.00"; None for anything else."""
    exact = decimal_of(value)
    if exact is None or exact != exact.to_integral_value():
        return None
    return int(exact)


def decimal_of(value: object) -> Decimal | None:
    """A number exactly as written, from a number, a numeric text ("1,500.00" too) or M-Pesa's structured amount."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < 10**30 else None
    if isinstance(value, Decimal):
        # Only the exponent is looked at: a number such as 1E+999999 must not be written out.
        return value if value.is_finite() and abs(value.adjusted()) < 30 else None
    if isinstance(value, str):
        text = value.strip()
        structured = STRUCTURED_AMOUNT.search(text)
        if structured:
            return Decimal(structured[1])
        if PLAIN_NUMBER.fullmatch(text):
            return Decimal(text.replace(",", ""))
    return None


def amount_of(value: object) -> Decimal | None:
    """Shillings exactly as written; None where it is no amount that could have been paid."""
    exact = decimal_of(value)
    return exact if exact is not None and 0 < exact <= LARGEST_AMOUNT else None


def shillings(exact: Decimal | None) -> int | None:
    """Whole shillings, or None where there are cents: money is never rounded."""
    return int(exact) if exact is not None and exact == exact.to_integral_value() else None


def text_of(value: object, longest: int = LONGEST_TEXT) -> str:
    """Text from a text or a number, fit to be stored, cut at `longest`; empty for anything else."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, (int, Decimal)):
        number = whole(value)
        return str(number) if number is not None else str(decimal_of(value) or "")
    if not isinstance(value, str):
        return ""
    storable = value[: longest * 2].encode("utf-8", "replace").decode()
    return CONTROL.sub(" ", storable).strip()[:longest]


def id_of(value: object) -> str | None:
    """An identifier, kept whole; None where there is none or it is no identifier."""
    text = text_of(value, LONGEST_ID + 1)
    return text if 0 < len(text) <= LONGEST_ID and text.isprintable() else None


def code_of(value: object) -> str | None:
    """A ResultCode: 0, "0", 0.0, 1032, "SFC_IC0003" … as text; None where there is none."""
    return id_of(value)


def moment_of(value: object) -> datetime | None:
    """A Daraja moment, aware, UTC: 20191219102115 as number or text, or an ISO form; without a zone it is EAT."""
    text = text_of(value, 40)
    try:
        if STAMP.fullmatch(text):
            moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=EAT)
        else:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=EAT)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
