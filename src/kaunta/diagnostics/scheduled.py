"""The diagnosis that nobody has to ask for: every hour each worker looks at what its own process stands on.

What stops is a problem until a later look finds it well. What other watches look at all the time (workers, backups,
stored callbacks, whether credentials open) is left to them, so that one cause is one alert; tokens are left to
payments, which ask for them all evening.
"""

from collections.abc import Callable

from pydantic import SecretStr

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.diagnostics import queries
from kaunta.diagnostics.diagnosis import diagnose
from kaunta.diagnostics.findings import Category, Finding
from kaunta.diagnostics.registry import Topic
from kaunta.settings import Settings, variable

TOPICS = (Topic.ENV, Topic.KEYS, Topic.CLOCK, Topic.CALLBACK)
#: The problem of a category.
KINDS = {
    Category.ENV: "environment_wrong",
    Category.KEY: "keys_wrong",
    Category.ALGORITHM: "keys_wrong",
    Category.FORMAT: "installation_wrong",
    Category.CREDENTIALS: "installation_wrong",
    Category.OPERATION: "installation_wrong",
    Category.DATABASE: "database_wrong",
    Category.NETWORK: "safaricom_unreachable",
    Category.CLOCK: "clock_wrong",
}


def given(settings: Settings) -> dict[str, str]:
    """The settings as the environment said them."""
    said: dict[str, str] = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value is not None:
            said[variable(name)] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return said


async def look_around(rt: Runtime, place: str, answers: Callable[[str, str], bool]) -> int:
    """A worker's turn, for the process at `place`. Always 0: everything was looked at."""
    report = await diagnose(given(rt.settings), answers=answers, by="kaunta", topics=TOPICS, clock=rt.clock)
    wrong = {subject(one, place): one for one in report.findings if one.severity.stops}
    unseen = {f"{one.check} at {place}" for one in report.not_looked_at}
    async with transaction(rt.db) as db:
        for name, one in wrong.items():
            await open_problem(
                db, rt.clock, KINDS[one.category], name, bar_id=None, severity=Severity(one.severity.value),
                reason=f"{one.detail} {one.remedy}".strip(), check=one.check,
            )  # fmt: skip
        for kind, name in await queries.found_before(db, sorted(set(KINDS.values())), place):
            if name not in wrong and name not in unseen:
                await close_problem(db, rt.clock, kind, name, by="kaunta", reason="found well again")
    return 0


def subject(one: Finding, place: str) -> str:
    return f"{one.check} at {place}"
