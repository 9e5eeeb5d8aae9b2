"""What a person must decide before a database is moved, each with its ways out.

Nothing here is guessed: a question that arises and is not answered on the command line stops the move before its first
step. `--decide topic=option` answers for all bars, `--decide topic:<bar's id>=option` for one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from kaunta.core.errors import BadRequest, Conflict


class Topic(StrEnum):
    """What can be asked; the values are what the command line calls it."""

    CENTS = "cents"
    ENVIRONMENT = "environment"
    CREDENTIALS = "credentials"
    PLACEHOLDERS = "placeholders"
    RECEIPTS = "receipts"
    CLOSED = "closed-unpaid"
    STAFF = "staff-role"


QUESTIONS: Mapping[Topic, str] = {
    Topic.CENTS: "Amounts have cents; Kaunta counts whole shillings.",
    Topic.ENVIRONMENT: "Credentials of both environments are active at one bar.",
    Topic.CREDENTIALS: "Credentials cannot be read.",
    Topic.PLACEHOLDERS: "Masks or examples stand where credentials should be.",
    Topic.RECEIPTS: "One M-Pesa receipt is credited more than once.",
    Topic.CLOSED: "Tabs are closed although something is owed on them.",
    Topic.STAFF: "What the old role `staff` becomes.",
}
OPTIONS: Mapping[Topic, Mapping[str, str]] = {
    Topic.CENTS: {
        "nearest": "round to the nearest shilling, half upwards",
        "guest": "round in the guest's favour: orders down, cash and card up",
    },
    Topic.ENVIRONMENT: {
        "bar": "the one that the bar's environment names stays on, the other is switched off",
        "production": "production stays on",
        "sandbox": "sandbox stays on",
    },
    Topic.CREDENTIALS: {"off": "M-Pesa is off there until they are entered again; the bytes are kept as they are"},
    Topic.PLACEHOLDERS: {"off": "M-Pesa is off there until credentials are entered"},
    Topic.RECEIPTS: {
        "first": "the earliest credit counts, the others do not: their tabs owe that much again",
        "write-off": "the earliest credit counts, the others are written off: no balance changes",
    },
    Topic.CLOSED: {
        "write-off": "what is owed is written off and the tab stays closed",
        "overdue": "the tab is open again, as overdue",
    },
    Topic.STAFF: {"waiter": "waiters", "cashier": "cashiers"},
}
#: Answered where nobody says otherwise: the lesser right.
DEFAULTS: Mapping[Topic, str] = {Topic.STAFF: "waiter"}


class DecisionRefused(BadRequest):
    """--decide: this is not something to decide."""

    code = "decision_refused"


class NotDecided(Conflict):
    """Somebody must decide first."""

    code = "not_decided"


@dataclass(frozen=True, slots=True)
class Decisions:
    """Answers by topic, and by topic and bar."""

    answers: Mapping[str, str]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Decisions":
        """From `topic=option` and `topic:<bar>=option`. Raises `DecisionRefused`."""
        answers = {}
        for text in texts:
            name, _, option = text.partition("=")
            topic, colon, bar = name.partition(":")
            if topic not in set(Topic):
                raise DecisionRefused(
                    f"--decide {text}: there is nothing to decide called {topic}: {', '.join(Topic)}."
                )
            if option not in OPTIONS[Topic(topic)]:
                raise DecisionRefused(f"--decide {text}: one of {', '.join(OPTIONS[Topic(topic)])}.")
            if colon:
                try:
                    name = f"{topic}:{UUID(bar)}"
                except ValueError:
                    raise DecisionRefused(f"--decide {text}: {bar} is no bar's id.") from None
            answers[name] = option
        return cls(answers)

    def answer(self, topic: Topic, bar_id: UUID) -> str | None:
        """What was decided for a bar; None: nobody has."""
        return self.answers.get(f"{topic}:{bar_id}") or self.answers.get(topic) or DEFAULTS.get(topic)


@dataclass(slots=True)
class Question:
    """Something to decide: how often it arises, at which bars, and the first few cases by their ids."""

    topic: Topic
    cases: int = 0
    bars: set[UUID] = field(default_factory=set)
    undecided: set[UUID] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)


EXAMPLES = 5


@dataclass(slots=True)
class Asked:
    """The questions that came up. An open one gets its first option, so that a dry run shows what that does."""

    decisions: Decisions
    questions: dict[Topic, Question] = field(default_factory=dict)

    def ask(self, topic: Topic, bar_id: UUID, case: object) -> str:
        question = self.questions.setdefault(topic, Question(topic))
        question.cases += 1
        question.bars.add(bar_id)
        if len(question.examples) < EXAMPLES:
            question.examples.append(str(case))
        answer = self.decisions.answer(topic, bar_id)
        if answer is None:
            question.undecided.add(bar_id)
            return next(iter(OPTIONS[topic]))
        return answer

    @property
    def undecided(self) -> list[Question]:
        return [question for question in self.questions.values() if question.undecided]
