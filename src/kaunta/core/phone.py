"""Kenyan mobile numbers: every form people type, one form inside.

Inside, a payer is an `Msisdn`: `254` and nine digits beginning with 7 or 1 (daraja.md §5). What people type is
read generously; what is refused is refused with a reason that the pages put into words. A prefix that belongs to
another operator is a hint and never a refusal: numbers are portable.
"""

import re
import unicodedata
from enum import StrEnum
from typing import NewType

from kaunta.core.errors import KauntaError

Msisdn = NewType("Msisdn", str)

#: Longest text looked at; a person's number with all its decorations fits four times over.
LONGEST = 64

#: Characters people put between digits.
DECORATION = re.compile(r"[\s\-.()/\u00a0\u2010-\u2015]+")

#: First digits after 254 that are not Safaricom's (daraja.md §5). Advisory.
OTHER_OPERATORS = (
    ("Airtel", re.compile(r"7(3\d|5[0-6]|62|8\d)|10[0-8]")),
    ("Telkom", re.compile(r"77\d")),
    ("Faiba", re.compile(r"747")),
    ("Equitel", re.compile(r"76[3-6]")),
)


class PhoneProblem(StrEnum):
    """Why a text is not a number that can pay."""

    EMPTY = "empty"
    NOT_DIGITS = "not_digits"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    FOREIGN = "foreign"
    LANDLINE = "landline"
    EXTRA_ZERO = "extra_zero"


class PhoneRefused(KauntaError):
    """Enter a Kenyan mobile number, like 0712 345 678."""

    status = 400
    code = "phone_invalid"

    def __init__(self, problem: PhoneProblem) -> None:
        super().__init__(problem=problem.value)
        self.problem = problem


def parse_msisdn(text: str) -> Msisdn:
    """`text` as an `Msisdn`; raises `PhoneRefused` with the reason and without the number."""
    if len(text) > LONGEST:
        raise PhoneRefused(PhoneProblem.TOO_LONG)
    # Direction marks ride along when a number is copied from a chat; they carry nothing.
    visible = "".join(ch for ch in text if unicodedata.category(ch) != "Cf")
    digits = DECORATION.sub("", visible)
    international = digits.startswith("+")
    digits = digits.removeprefix("+")
    if not digits:
        raise PhoneRefused(PhoneProblem.EMPTY)
    if not (digits.isascii() and digits.isdigit()):
        raise PhoneRefused(PhoneProblem.NOT_DIGITS)
    if digits.startswith("00"):
        international, digits = True, digits[2:]
    if digits.startswith("254"):
        national = digits[3:]
        if national.startswith("0"):
            raise PhoneRefused(PhoneProblem.EXTRA_ZERO)
    elif international:
        raise PhoneRefused(PhoneProblem.FOREIGN)
    else:
        national = digits.removeprefix("0")
    if len(national) < 9:
        raise PhoneRefused(PhoneProblem.TOO_SHORT)
    if len(national) > 9:
        raise PhoneRefused(PhoneProblem.TOO_LONG)
    if national[0] not in "17":
        raise PhoneRefused(PhoneProblem.LANDLINE)
    return Msisdn("254" + national)


def masked(msisdn: Msisdn) -> str:
    """How a number is shown to everyone: `0712 ••• 678`."""
    return f"0{msisdn[3:6]} ••• {msisdn[-3:]}"


def dialled(msisdn: Msisdn) -> str:
    """A whole number as people dial it: `0712 345 678`. Only for who may see whole numbers."""
    return f"0{msisdn[3:6]} {msisdn[6:9]} {msisdn[9:]}"


def other_operator(msisdn: Msisdn) -> str | None:
    """The operator whose range this prefix was given to, when it is not Safaricom. A hint: numbers are portable."""
    return next((name for name, prefix in OTHER_OPERATORS if prefix.match(msisdn[3:6])), None)
