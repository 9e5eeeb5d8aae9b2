"""The bench's arithmetic and shapes; that it measures rightly only `make bench` itself can show."""

import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.ground import Ground
from bench.noise import Noise
from bench.plots import bars
from bench.results import figures, row_as_json, summary
from bench.row import BARE, Goal, Measured, Row, Size, Way
from bench.rows import NAMES, row
from bench.run import measure
from bench.table import number, table
from bench.taking import MOST_PER_SECOND, Taking

from bench import kept, load, page

#: The names and keys that programs read (contract.md, Bench).
FIXED = {"callback_intake", "status_read", "initiate_overhead", "live_delay", "sync_repair", "history_page"}
KEYS = {"name", "ours", "peer", "limit", "ratio_to_peer", "ratio_to_limit", "unit"}


@asynccontextmanager
async def nothing(_ground: Ground, _size: Size) -> AsyncIterator[Mapping[str, Way]]:
    taken: list[str] = []

    async def ours() -> Measured:
        taken.append("ours")
        return Measured(100.0 * len(taken), 10.0, 5.0, {"p99_ms": 2.0})

    async def peer() -> Measured:
        taken.append("peer")
        return Measured(50.0)

    yield {"ours": ours, "peer": peer}


@pytest.fixture
def measured_row() -> Row:
    return Row(
        name="an_example",
        title="An example & more",
        unit="requests/s",
        ready=nothing,
        about="What each way does.",
        goals=(
            Goal("twice the peer", "ratio_to_peer", at_least=2),
            Goal("cheap", "cpu_us", at_most=5),
            Goal("as fast as the limit", "ratio_to_limit", at_least=1),
        ),
    )


@pytest.fixture
def rounds() -> dict[str, list[Measured]]:
    return {
        "ours": [Measured(value, cpu, 7.0, {"p99_ms": value / 10}) for value, cpu in ((90, 9), (300, 11), (110, 10))],
        "peer": [Measured(value) for value in (40, 60, 50)],
    }


@pytest.fixture
def found(measured_row: Row, rounds: dict[str, list[Measured]]) -> dict[str, Any]:
    """The row as the results hold it."""
    return row_as_json(summary(measured_row, rounds), when="2026-01-01 10:00 EAT", load_before=0.1, quick=False)


def test_a_ways_figures_are_medians_each_of_its_own() -> None:
    found = figures([Measured(3, 30, None, {"a": 1}), Measured(1, 10, None, {"a": 9, "b": 4}), Measured(2, 50)])
    assert (found.value, found.cpu_us, found.postgres_us, found.more) == (2, 30, None, {"a": 5, "b": 4})
    assert found.spread == 1.0


def test_a_goal_may_be_beside_the_bare_ways_cpu(measured_row: Row, rounds: dict[str, list[Measured]]) -> None:
    rounds[BARE] = [Measured(1, cpu_us=cpu) for cpu in (4, 6, 5)]
    goals = (Goal("twice as cheap", "cpu_to_bare", at_most=1), Goal("dear", "cpu_to_bare", at_most=2))
    outcomes = summary(replace(measured_row, goals=goals), rounds).outcomes()
    assert [(one.figure, one.reached) for one in outcomes] == [(2.0, False), (2.0, True)]
    del rounds[BARE]
    assert [one.figure for one in summary(replace(measured_row, goals=goals), rounds).outcomes()] == [None, None]


def test_the_results_have_the_contracts_shape(found: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    kept.keep(found | {"name": "status_read"}, {"cpus": 2}, file)
    (found,) = json.loads(file.read_text(encoding="utf-8"))["rows"]
    assert found.keys() >= KEYS
    assert {key: found[key] for key in KEYS} == {
        "name": "status_read",
        "ours": 110,
        "peer": 50,
        "limit": None,
        "ratio_to_peer": 2.2,
        "ratio_to_limit": None,
        "unit": "requests/s",
    }
    assert found["ways"]["ours"]["cpu_us"] == 10
    assert found["rounds"] == 3


def test_each_row_is_kept_as_soon_as_it_ends_beside_what_was_measured_before(
    found: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "results.json"
    assert kept.read(file) == {"rows": [], "machine": {}}
    for name, when in (("history_page", "Monday"), ("callback_intake", "Monday"), ("history_page", "Tuesday")):
        kept.keep(found | {"name": name, "when": when}, {"cpus": 2}, file)
    assert [(row["name"], row["when"]) for row in kept.read(file)["rows"]] == [
        ("callback_intake", "Monday"),
        ("history_page", "Tuesday"),
    ]
    assert not kept.complete(kept.read(file))
    for name in NAMES:
        kept.keep(found | {"name": name}, {}, file)
    assert kept.complete(kept.read(file))


def test_what_was_only_tried_takes_no_place_and_is_not_on_the_page(found: dict[str, Any], tmp_path: Path) -> None:
    file, name = tmp_path / "results.json", "status_read"
    tried = found | {"name": name, "quick": True, "ours": 1}
    assert [row["ours"] for row in kept.keep(tried, {}, file)["rows"]] == [1]
    assert [row["ours"] for row in kept.keep(found | {"name": name}, {}, file)["rows"]] == [110]
    assert [row["ours"] for row in kept.keep(tried, {}, file)["rows"]] == [110]


def test_an_older_benchs_results_can_be_read(found: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    older = {key: value for key, value in found.items() if key not in ("when", "quick", "load_before")}
    rows = [older | {"name": name} for name in ("status_read", "a_row_that_is_no_more")]
    file.write_text(json.dumps({"rows": rows, "machine": {"when": "once upon a time"}}), encoding="utf-8")
    (row,) = kept.read(file)["rows"]
    assert (row["when"], row["quick"]) == ("once upon a time", False)


def test_a_way_gets_thrice_the_callbacks_that_it_reached_and_never_more_than_nobody_reaches() -> None:
    taking = Taking(None, None, seconds=2)  # type: ignore[arg-type]
    assert taking.enough("ours", 2) == 2 * MOST_PER_SECOND["ours"]
    taking.reached("ours", 1_000)
    taking.reached("ours", 900)
    assert taking.enough("ours", 2) == 6_400
    taking.reached("ours", 1_000_000)
    assert taking.enough("ours", 2) == 2 * MOST_PER_SECOND["ours"]


def test_a_goal_is_reached_missed_or_not_measured(measured_row: Row, rounds: dict[str, list[Measured]]) -> None:
    assert [outcome.reached for outcome in summary(measured_row, rounds).outcomes()] == [True, False, None]


def test_the_table_says_what_was_missed(found: dict[str, Any]) -> None:
    lines = list(table({"rows": [found]}))
    assert any("an_example" in line and "2.20 × the peer's" in line for line in lines)
    assert [line.split()[0] for line in lines if "wanted" in line] == ["reached", "MISSED", "not"]


@pytest.mark.parametrize(
    ("figure", "shown"),
    [(None, "–"), (12_345.6, "12,346"), (45.67, "45.7"), (1.234, "1.23"), (0.0123456, "0.0123"), (0, "0")],
)
def test_a_figure_shows_no_more_than_it_is_worth(figure: float | None, shown: str) -> None:
    assert number(figure) == shown


def test_a_picture_is_well_formed_and_names_every_way(found: dict[str, Any]) -> None:
    texts = [element.text for element in ET.fromstring(bars(found)).iter() if element.text]
    assert {"ours", "peer"} <= set(texts)
    assert any("An example & more" in text for text in texts)


def test_the_page_has_every_row_and_goal_and_when_it_was_measured(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "performance.md")
    monkeypatch.setattr(page, "PICTURES", tmp_path / "performance")
    noise = Noise()
    noise.listen()
    machine = {"when": "now", "postgres": "15", "load_by": "wrk", **noise.heard()}
    page.write({"rows": [found, found | {"name": "tried", "quick": True}], "machine": machine})
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "## an_example" in text and "| twice the peer | ≥ 2.00 | 2.20 | reached |" in text
    assert "Measured 2026-01-01 10:00 EAT, 3 rounds" in text
    assert (tmp_path / "performance/an_example.svg").is_file()
    assert "tried" not in text.split("##", 1)[1]


async def test_every_way_has_its_turn_in_every_round_and_the_first_only_warms_up(measured_row: Row) -> None:
    found = await measure(measured_row, None, Size(quick=True), 4)  # type: ignore[arg-type]
    assert {name: len(each) for name, each in found.items()} == {"ours": 4, "peer": 4}


def test_every_row_of_the_contract_is_there_and_knows_its_own_name() -> None:
    assert FIXED | {"idle_memory"} <= set(NAMES)
    assert [row(name).name for name in NAMES] == list(NAMES)


def test_what_wrk_says_is_read() -> None:
    said = """
  Latency Distribution
     50%    5.12ms
     75%    6.00ms
     90%    7.00ms
     99%    1.50s
  12345 requests in 3.01s, 2.00MB read
"""
    fired = load.read_wrk(said)
    assert (fired.answered, fired.seconds, fired.p50_ms, fired.p99_ms) == (12345, 3.01, 5.12, 1500)
    with pytest.raises(load.LoadFailed, match="Non-2xx"):
        load.read_wrk(said + "\n  Non-2xx or 3xx responses: 3\n")
