"""Trouble put in front of the APIs, for everybody, until it is used up or cleared: latency, errors, silence."""

from dataclasses import dataclass

from kaunta.simulator.replies import REPLIES

APIS = (
    "any",
    "oauth",
    "push",
    "query",
    "c2b_register",
    "c2b_simulate",
    "status",
    "reversal",
    "balance",
    "pull_register",
    "pull_query",
    "qr",
)


class UnknownFault(ValueError):
    """There is no such fault."""


@dataclass(slots=True)
class Fault:
    """`reply` names what is answered instead of the API's own answer; None with `latency`: only slow.

    `times` counts down; None: until cleared. Seconds are policy seconds.
    """

    api: str = "any"
    reply: str | None = None
    times: int | None = 1
    latency: float = 0.0

    def __post_init__(self) -> None:
        if self.api not in APIS:
            raise UnknownFault(f"api is one of {', '.join(APIS)}")
        if self.reply is not None and self.reply not in REPLIES:
            raise UnknownFault(f"there is no reply {self.reply!r}; known: {', '.join(REPLIES)}")
        if self.reply is None and self.latency <= 0:
            raise UnknownFault("a fault has a reply or a latency")


class Faults:
    """The faults in force, oldest first; the first that fits a request applies."""

    def __init__(self) -> None:
        self.listed: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.listed.append(fault)

    def clear(self) -> None:
        self.listed.clear()

    def next_for(self, api: str) -> Fault | None:
        """The fault a request to `api` meets; one of its times is used."""
        for fault in self.listed:
            if fault.api in ("any", api):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.listed.remove(fault)
                return fault
        return None
