"""The ids Safaricom hands out, in the forms seen since 2024.

MerchantRequestID and requestId are four groups of hex digits with a counter behind; CheckoutRequestID is `ws_CO_`, the
moment in EAT to the millisecond and nine digits of the phone; a receipt begins with year, month and day as one
character each (derived from published receipts: SD25WSR9W7 is 2024, April, 2nd).
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from string import ascii_letters, ascii_uppercase, digits

from kaunta.simulator.clock import EAT

BASE36 = digits + ascii_uppercase
#: Seven characters of base 36 follow the date in a receipt.
RECEIPTS_A_DAY = 36**7
#: Shares no factor with 36, so stepping by it visits every value once before any returns.
STRIDE = 31_415_926_531


class Identifiers:
    """A source of ids; repeatable with a seed."""

    def __init__(self, seed: int | None) -> None:
        self.random = Random(seed)  # noqa: S311 - ids of invented payments protect nothing
        self.requests = count(self.random.randrange(1_000, 9_000_000))
        self.receipts = count(self.random.randrange(RECEIPTS_A_DAY))
        self.last = datetime.min.replace(tzinfo=UTC)

    def hexes(self, length: int) -> str:
        return f"{self.random.getrandbits(4 * length):0{length}x}"

    def request_id(self) -> str:
        """Like 2654-4b64-97ff-b827b542881d3130."""
        return f"{self.hexes(4)}-{self.hexes(4)}-{self.hexes(4)}-{self.hexes(12)}{next(self.requests)}"

    def checkout_id(self, moment: datetime, phone: str) -> str:
        """Like ws_CO_02042024170008357715990000; two in one millisecond differ all the same."""
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        self.last = max(moment, self.last + timedelta(milliseconds=1)) if self.last.year > 1 else moment
        local = self.last.astimezone(EAT)
        return f"ws_CO_{local:%d%m%Y%H%M%S}{local.microsecond // 1000:03d}{phone[-9:]}"

    def receipt(self, moment: datetime) -> str:
        """Ten characters like SD25WSR9W7; none is given twice."""
        rest, tail = next(self.receipts) * STRIDE % RECEIPTS_A_DAY, ""
        for _ in range(7):
            rest, digit = divmod(rest, 36)
            tail += BASE36[digit]
        return day_code(moment) + tail

    def conversation_id(self, moment: datetime) -> str:
        """Like AG_20210706_20106e9209f64bebd05b."""
        return f"AG_{moment.astimezone(EAT):%Y%m%d}_2010{self.hexes(16)}"

    def token(self) -> str:
        """28 letters and digits."""
        return "".join(self.random.choices(ascii_letters + digits, k=28))


def day_code(moment: datetime) -> str:
    """The first three characters of a day's receipts."""
    local = moment.astimezone(EAT)
    year = ascii_uppercase[(local.year - 2006) % 26]
    return f"{year}{ascii_uppercase[local.month - 1]}{(digits[1:] + ascii_uppercase)[local.day - 1]}"


def no_receipt(moment: datetime) -> str:
    """The TransactionID of a result that moved nothing, like SKE0000000."""
    return f"{day_code(moment)}0000000"


def stamp(moment: datetime) -> str:
    """yyyyMMddHHmmss in EAT."""
    return f"{moment.astimezone(EAT):%Y%m%d%H%M%S}"
