"""The end of a shift: what each person took, by method, so that the cash in the apron can be counted against it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.runtime import Runtime
from kaunta.tabs.queries.shift import Taken, taken

METHODS = ("cash", "card", "mpesa")


@dataclass(frozen=True, slots=True)
class Share:
    """One person's line: shillings by method, less what went back; `written_off`: let go without money."""

    who: str
    payments: int
    cash: int
    card: int
    mpesa: int
    given_back: int
    corrected: int
    written_off: int

    @property
    def total(self) -> int:
        """Money in hand and on the till: what was let go is none."""
        return self.cash + self.card + self.mpesa + self.given_back + self.corrected


async def shift(rt: Runtime, bar_id: UUID, environment: str, since: datetime, until: datetime) -> list[Share]:
    """A line for everybody behind a payment between two moments, the largest first."""
    async with rt.db.acquire() as db:
        rows = await taken(db, bar_id, environment, since, until)
    shares = [share(who, [row for row in rows if row.who == who]) for who in {row.who for row in rows}]
    return sorted(shares, key=lambda one: (-one.total, one.who))


def share(who: str, rows: Iterable[Taken]) -> Share:
    rows = list(rows)

    def of(*kinds: str, method: str | None = None) -> int:
        return sum(row.amount for row in rows if row.kind in kinds and method in (None, row.method))

    return Share(
        who=who,
        payments=sum(row.count for row in rows if row.kind == "payment"),
        cash=of("payment", method="cash"),
        card=of("payment", method="card"),
        mpesa=of("payment", method="mpesa"),
        given_back=of("refund", "reversal"),
        corrected=of("correction"),
        written_off=of("write_off"),
    )


def together(shares: Iterable[Share]) -> Share:
    """Everybody's."""
    shares = list(shares)
    sums = {name: sum(getattr(one, name) for one in shares) for name in Share.__slots__ if name != "who"}
    return Share(who="", **sums)
