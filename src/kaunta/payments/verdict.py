"""What became of a message of Safaricom's: a word in the inbox, and the pages to hint."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a callback."""

    name: str
    transaction_id: UUID | None = None
    topics: tuple[str, ...] = ()
