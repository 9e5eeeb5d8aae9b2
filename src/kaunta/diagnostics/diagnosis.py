"""A diagnosis: every check in its order, each only on what the ones before it found usable, and the run on the record.

The same for the command, the machines' door and the counter's page. It works where start-up would refuse.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import TRANSIENT_ERRORS
from kaunta.core.entropy import Entropy
from kaunta.core.outbound import Outbound
from kaunta.diagnostics import queries
from kaunta.diagnostics.environment import read
from kaunta.diagnostics.findings import Category, Finding, Report, Severity, in_order
from kaunta.diagnostics.registry import CHECKS, Check, Topic
from kaunta.diagnostics.scene import Scene

log = structlog.get_logger(__name__)

EVERYTHING = tuple(Topic)


def answered_by(routes: Iterable[Any]) -> Callable[[str, str], bool]:
    """Whether a method and path belong to one of the application's routes."""

    def answers(method: str, path: str) -> bool:
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        return any(route.matches(scope)[0].name == "FULL" for route in routes)

    return answers


async def diagnose(
    given: Mapping[str, str],
    *,
    answers: Callable[[str, str], bool],
    by: str,
    topics: Iterable[Topic] = EVERYTHING,
    bar_id: UUID | None = None,
    clock: Clock | None = None,
) -> Report:
    """Look at everything that was asked for, from the variables as they are `given`; `answers` tells whether a method
    and path are a route of the application. Never raises for what is wrong with the installation.

    `bar_id`: of the bars' credentials only that bar's, and all of them.
    """
    wanted = tuple(topic for topic in Topic if topic in set(topics))
    clock = clock or Clock()
    async with Outbound() as outbound:
        scene = Scene(given, clock, Entropy(), outbound, answers, bar_id, read(given).settings)
        async with scene.held:
            findings = await look(scene, wanted)
            report = Report(clock.now(), tuple(wanted), in_order(findings))
            return await on_record(scene, report, by)


async def look(scene: Scene, topics: tuple[Topic, ...]) -> list[Finding]:
    """Run the checks of the topics and those they stand on. Of the latter only what is wrong is told."""
    chosen = with_ground(topics)
    findings: list[Finding] = []
    for check in CHECKS:
        if check not in chosen:
            continue
        found = await looked(scene, check)
        findings += found if check.topic in topics else [one for one in found if one.severity.stops]
    return findings


def with_ground(topics: tuple[Topic, ...]) -> list[Check]:
    """The checks of these topics, and every check that gives or reads what they need."""
    chosen = [check for check in CHECKS if check.topic in topics]
    ground: set[str] = set()
    for check in reversed(CHECKS):
        if check in chosen or ground & set(check.gives):
            ground |= set(check.needs)
    return [
        check
        for check in CHECKS
        # The environment is what everything stands on; it costs nothing.
        if check in chosen or check.name in ("env.needed", "env.values") or ground & set(check.gives)
    ]


async def looked(scene: Scene, check: Check) -> list[Finding]:
    """A check's findings; where what it needs is broken, that it was not looked at, and because of which."""
    if broken := next((scene.broken[need] for need in check.needs if need in scene.broken), None):
        for gift in check.gives:
            scene.broken.setdefault(gift, broken)
        return [not_looked_at(check, broken)]
    try:
        found = await check.look(scene)
    except asyncpg.InsufficientPrivilegeError:
        found = [await no_right(scene, check)]
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError) as error:
        found = [broke(check, error, "Run `kaunta db check`, then `kaunta db mend`.")]
    except TRANSIENT_ERRORS as error:
        scene.broken["connection"] = check.name
        found = [broke(check, error, "Look again: the connection was lost on the way.")]
    except Exception as error:  # noqa: BLE001 - a check that breaks, however it does, must not keep the others from us
        log.error("diagnosis.check_broke", name=check.name, error=type(error).__name__)
        found = [broke(check, error, "This is a fault of Kaunta’s own: report it with this line.")]
    if any(one.severity.stops for one in found):
        for gift in check.gives:
            scene.broken.setdefault(gift, check.name)
    return found


def not_looked_at(check: Check, cause: str) -> Finding:
    detail = f"Not looked at: {cause} must be mended first."
    return Finding(check.name, check.category, Severity.INFO, detail, cause=cause)


def broke(check: Check, error: Exception, remedy: str) -> Finding:
    detail = f"It could not be looked at ({type(error).__name__})."
    return Finding(check.name, check.category, Severity.ERROR, detail, remedy)


async def no_right(scene: Scene, check: Check) -> Finding:
    login = await queries.login(scene.connection)
    detail = "The login may not read what this needs."
    remedy = f"As the database’s owner: `grant kaunta_app, kaunta_worker to {login.name}`"
    return Finding(check.name, Category.DATABASE, Severity.CRITICAL, detail, remedy)


async def on_record(scene: Scene, report: Report, by: str) -> Report:
    """Write down who looked and what was found, where the database takes it."""
    if scene.db is None:
        return report
    failed = sorted({one.check for one in report.findings if one.severity.stops})
    try:
        await audit(
            scene.db, scene.clock, by, "diagnosis.run", "installation", "diagnosis", bar_id=scene.bar_id,
            outcome="ok" if report.ok else "found_problems", topics=list(report.topics), failed=failed,
        )  # fmt: skip
    except (asyncpg.PostgresError, *TRANSIENT_ERRORS) as error:
        log.warning("diagnosis.not_audited", error=type(error).__name__)
        return report
    return Report(report.at, report.topics, report.findings, audited=True)
