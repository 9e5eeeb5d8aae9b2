"""The words of the bench: a row, its ways, and what one way measured in one round."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from bench.ground import Ground

#: The ways every row may have; a row may have further ones, named in words.
OURS, PEER, LIMIT = "ours", "peer", "limit"
#: One statement or one request, and nothing of the job: what language, driver and machine cost (`peers/bare.py`).
BARE = "bare Starlette + asyncpg"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way came to in one round.

    `value` is in the row's unit. `cpu_us` and `postgres_us` are microseconds of CPU a request, of the processes that
    serve and of PostgreSQL's; None where there is none. `more` holds further figures by name.
    """

    value: float
    cpu_us: float | None = None
    postgres_us: float | None = None
    more: Mapping[str, float] = field(default_factory=dict)


Way = Callable[[], Awaitable[Measured]]
Ways = AbstractAsyncContextManager[Mapping[str, Way]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much to measure; `quick` is for trying the bench itself."""

    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Goal:
    """What was wanted of a way. `figure` names it: `value`, `cpu_us`, `postgres_us`, `ratio_to_peer`,
    `ratio_to_limit`, `cpu_to_bare`, or one of its further figures."""

    says: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None
    way: str = OURS


@dataclass(frozen=True, slots=True)
class Row:
    """One job. `ready` prepares everything, gives the ways, and takes it all down again.

    `title` is a noun for tables; `about` says what each way does and what is not comparable; `less` is true where a
    smaller value is the better one.
    """

    name: str
    title: str
    unit: str
    ready: Callable[[Ground, Size], Ways]
    about: str
    less: bool = False
    #: Whether a round that is not counted comes first.
    warm_up: bool = True
    #: Rounds that such a row is worth at most.
    most_rounds: int = 1_000
    goals: tuple[Goal, ...] = ()
