"""One cell of a statement: an amount, a moment, a receipt, as Safaricom or a spreadsheet programme writes it."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from kaunta.core.clock import EAT

#: What a reader hands on: text, a number or a date of a spreadsheet, or nothing.
Cell = str | float | int | datetime | None

RECEIPT = re.compile(r"[A-Z0-9]{6,20}")
NUMBER = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?")
#: More shillings than all of M-Pesa moves in a year: a column was mistaken for another.
LARGEST_CENTS = 10**15

YEAR_FIRST = r"(?P<y1>\d{4})[-/](?P<m1>\d{1,2})[-/](?P<d1>\d{1,2})"
DAY_FIRST = r"(?P<d2>\d{1,2})[-/](?P<m2>\d{1,2})[-/](?P<y2>\d{4})"
CLOCK = r"(?:[ T]+(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:\.\d+)?)?\s*(?P<half>[AaPp][Mm])?)?"
MOMENT = re.compile(rf"(?:{YEAR_FIRST}|{DAY_FIRST}){CLOCK}")


class Unreadable(ValueError):
    """A cell that cannot be what its column says; the message is the reason people read."""


def text(cell: Cell) -> str:
    """A cell's words, without the spaces around them."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def cents(cell: Cell, column: str) -> int:
    """`1,450.50`, `-11.00`, `(11.00)`, `KES 20`, a number; an empty cell or a dash is 0. Raises `Unreadable`."""
    if isinstance(cell, datetime):
        raise Unreadable(f"{column} holds a date where an amount belongs")
    if isinstance(cell, int | float):
        return exact(Decimal(repr(cell)), column)
    written = text(cell).replace("\u00a0", "").replace("\u2212", "-")
    written = re.sub(r"^(KES|KSHS?\.?)\s*", "", written, flags=re.IGNORECASE)
    if written in ("", "-"):
        return 0
    negative = written.startswith("-") or (written.startswith("(") and written.endswith(")"))
    digits = written.strip("()").removeprefix("-").strip()
    if not NUMBER.fullmatch(digits):
        raise Unreadable(f"{column} is no amount")
    try:
        value = exact(Decimal(digits.replace(",", "")), column)
    except InvalidOperation:
        raise Unreadable(f"{column} is no amount") from None
    return -value if negative else value


def exact(shillings: Decimal, column: str) -> int:
    # A spreadsheet keeps 13.75 as 13.7500000001 at worst; what differs by more is no amount of money.
    value = shillings * 100
    if not value.is_finite() or abs(value) > LARGEST_CENTS:
        raise Unreadable(f"{column} is no amount")
    whole = value.quantize(Decimal(1))
    if abs(value - whole) > Decimal("0.001"):
        raise Unreadable(f"{column} has more than two decimals")
    return int(whole)


def moment(cell: Cell, column: str) -> datetime:
    """`DD-MM-YYYY`, `DD/MM/YYYY` or `YYYY-MM-DD` and a time, in Nairobi; as UTC. Raises `Unreadable`."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=EAT).astimezone(UTC)
    found = MOMENT.fullmatch(text(cell))
    if found is None:
        raise Unreadable(f"{column} is no date and time")
    return in_utc(found, column)


def in_utc(found: re.Match[str], column: str) -> datetime:
    part = found.groupdict()
    hour, half = int(part["h"] or 0), (part["half"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        local = datetime(
            int(part["y1"] or part["y2"]), int(part["m1"] or part["m2"]), int(part["d1"] or part["d2"]),
            hour, int(part["mi"] or 0), int(part["s"] or 0), tzinfo=EAT,
        )  # fmt: skip
    except ValueError:
        raise Unreadable(f"{column} is a date that does not exist") from None
    return local.astimezone(UTC)


def period(words: str) -> tuple[datetime, datetime] | None:
    """`from 01-11-2026 00:00:00 to 30-11-2026`, wherever it stands in a text; a day alone lasts until its end."""
    found = re.search(r"\bfrom\b:?\s*", words, re.IGNORECASE)
    since = MOMENT.match(words, found.end()) if found else None
    if since is None:
        return None
    between = re.match(r"[\s,;-]*to\b:?\s*", words[since.end() :], re.IGNORECASE)
    until = MOMENT.match(words, since.end() + between.end()) if between else None
    if until is None:
        return None
    try:
        first, last = in_utc(since, "From"), in_utc(until, "To")
    except Unreadable:
        return None
    if until.group("h") is None:
        last += timedelta(days=1, seconds=-1)
    return (first, last) if first <= last else None


def receipt(cell: Cell) -> str:
    """Safaricom's code of a movement, in capitals. Raises `Unreadable`."""
    code = text(cell).upper()
    if not RECEIPT.fullmatch(code):
        raise Unreadable("Receipt No is no M-Pesa code" if code else "there is no receipt number")
    return code
