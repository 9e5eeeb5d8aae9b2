"""`/metrics`: what a process counted, what the database says of the house, and files that ask for nothing else."""

import json
import re
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import yaml

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from tests.docs.metrics_page import labels, of_database, of_process
from tests.support.bars import SeededBar
from tests.support.door import Served

from .conftest import Starting

OBSERVABILITY = Path(__file__).parents[2] / "deploy/observability"
RULES = OBSERVABILITY / "prometheus-rules.yaml"
DASHBOARD = OBSERVABILITY / "grafana-dashboard.json"
USED = re.compile(r"(kaunta_[a-z_]+)(?:\{([^}]*)\})?")
SERIES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def told(text: str, name: str, **of: str) -> float | None:
    """A sample's value in the text format; None where it is not told."""
    wanted = "".join(f'(?=.*{label}="{re.escape(value)}")' for label, value in of.items())
    found = re.search(rf"^{name}(?:{{{wanted}[^}}]*}})? ([-+.0-9eInf]+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


async def scrape(http: aiohttp.ClientSession) -> str:
    async with http.get("/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_a_push_and_its_payment_are_counted_by_what_they_came_to(
    application: Served, http: aiohttp.ClientSession, start: Starting
) -> None:
    before = await scrape(http)
    _, started = await start()
    assert started
    after = await scrape(http)
    push = {"api": "stk_push", "outcome": "accepted"}
    pushes = [told(text, "kaunta_daraja_seconds_count", **push) or 0 for text in (before, after)]
    assert pushes[1] == pushes[0] + 1
    assert told(after, "kaunta_payments_open") == 1
    assert (told(after, "kaunta_credentials_opened_total", outcome="opened") or 0) > 0


async def test_queues_problems_and_the_worker_are_read_from_the_database(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    rt = application.rt
    empty = await scrape(http)
    assert told(empty, "kaunta_database_up") == 1
    assert told(empty, "kaunta_queue_waiting", queue="callbacks") == 0
    assert told(empty, "kaunta_problems_open", kind="push_refused", severity="error") is None
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "push_refused", bar.id, bar_id=bar.id, severity=Severity.ERROR)
        await db.execute(
            "insert into mpesa_callbacks (received_at, channel, body_enc, next_attempt_at) values ($1, 'stk', '', $1)",
            rt.clock.now() - timedelta(seconds=90),
        )
    text = await scrape(http)
    assert told(text, "kaunta_queue_waiting", queue="callbacks") == 1
    assert (told(text, "kaunta_queue_oldest_seconds", queue="callbacks") or 0) >= 90
    assert told(text, "kaunta_problems_open", kind="push_refused", severity="error") == 1
    assert (told(text, "kaunta_partition_months_ahead") or 0) >= 2
    async with transaction(rt.db) as db:
        await close_problem(db, rt.clock, "push_refused", bar.id, by="test", reason="mended")
    assert told(await scrape(http), "kaunta_problems_open", kind="push_refused", severity="error") is None


async def test_without_the_database_nothing_is_told_of_it_but_that(
    application: Served, http: aiohttp.ClientSession
) -> None:
    async with transaction(application.rt.db) as db:
        await db.execute("alter table daraja_budgets rename to somewhere_else")
    text = await scrape(http)
    assert told(text, "kaunta_database_up") == 0
    assert "kaunta_queue_waiting" not in text
    assert "kaunta_callback_store_seconds_count" in text


def queries() -> list[str]:
    """Every expression of the two files."""
    rules = yaml.safe_load(RULES.read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    board = json.loads(DASHBOARD.read_text())
    return asked + [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


@pytest.mark.parametrize("query", queries())
def test_rules_and_dashboard_ask_for_what_is_told_by_labels_that_are_there(query: str) -> None:
    known = {
        metric.name.removesuffix("_total") + end: metric.name
        for metric in (*of_process(), *of_database())
        for end in SERIES[metric.type]
    }
    used = USED.findall(query)
    assert used or query.startswith("up{")
    kept_by = set()
    for name, selector in used:
        assert name in known, f"nothing is called {name}"
        of = {*labels(known[name]), "le"}
        kept_by |= of | {"instance"}
        asked_for = set(re.findall(r"(\w+)\s*[=!]~?\s*\"", selector))
        assert asked_for <= of, f"{name} has no {asked_for - of}"
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        assert {each.strip() for each in grouped.split(",")} <= kept_by, query


def test_every_figure_is_looked_at_somewhere() -> None:
    together = " ".join(queries())
    for metric in (*of_process(), *of_database()):
        assert metric.name in together or metric.name == "kaunta_process_id", metric.name


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("requests", {"kaunta_answers"}),
        ("pushes by outcome", {"kaunta_daraja_seconds"}),
        ("callback verdicts and delay", {"kaunta_callbacks", "kaunta_callback_delay_seconds"}),
        ("time to paid", {"kaunta_time_to_paid_seconds"}),
        ("queue depths and ages", {"kaunta_queue_waiting", "kaunta_queue_oldest_seconds"}),
        ("query budget", {"kaunta_questions_left_ratio"}),
        ("invariants", {"kaunta_problems_open"}),
        ("credential access", {"kaunta_credentials_opened"}),
        ("clients of live pages", {"kaunta_live_pages"}),
        ("worker lag", {"kaunta_worker_silent_seconds", "kaunta_worker_turns"}),
    ],
)
def test_what_an_operator_must_see_is_told_and_drawn(what: str, names: set[str]) -> None:
    assert names <= {metric.name for metric in (*of_process(), *of_database())}, what
    board = json.loads(DASHBOARD.read_text())
    drawn = " ".join(target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))
    assert [name for name in names if name not in drawn] == [], what
