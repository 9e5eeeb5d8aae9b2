"""What a diagnosis may look at, and what it has found usable so far.

It is put together without anything that start-up would insist on: an environment with mistakes, no keyring and no
database are what a diagnosis is for. What a check finds broken is written down here, and every check that stands on it
says that it was not looked at, and why.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import UUID

from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.entropy import Entropy
from kaunta.core.outbound import Outbound, Outcome
from kaunta.core.vault import Keyring
from kaunta.settings import Settings


@dataclass(slots=True)
class Scene:
    """`given`: every variable of ours that is set, known or not, by its name. `answers`: whether a method and path
    belong to a route of the application. `bar_id`: look at one bar's credentials only.

    `settings` are those that are right; a wrong one is at its default and its name in `broken`, beside whatever else a
    check found unusable: `keyring`, `connection`, `schema`. `broken` gives the check that said so.
    """

    given: Mapping[str, str]
    clock: Clock
    entropy: Entropy
    outbound: Outbound
    answers: Callable[[str, str], bool]
    bar_id: UUID | None = None
    settings: Settings = field(default_factory=lambda: Settings.model_validate({}))
    keyring: Keyring | None = None
    db: Connection | None = None
    #: Environments whose host is asked, and what each answered.
    environments: frozenset[str] = frozenset()
    hosts: dict[str, Outcome] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    #: What is closed when the diagnosis is over.
    held: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def ring(self) -> Keyring:
        """For checks that need `keyring`."""
        if self.keyring is None:
            raise RuntimeError("a check that needs the keyring ran without it")
        return self.keyring

    @property
    def connection(self) -> Connection:
        """For checks that need `connection`."""
        if self.db is None:
            raise RuntimeError("a check that needs the database ran without it")
        return self.db
