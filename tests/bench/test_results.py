"""The bench's arithmetic and shapes; that it measures rightly only `make bench` itself can show."""

import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bench.ground import Ground
from bench.noise import Noise
from bench.plots import bars
from bench.results import as_json, figures, summary
from bench.row import Goal, Measured, Row, Size, Way
from bench.rows import NAMES, row
from bench.run import measure
from bench.table import number, table

from bench import load, page

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


def test_a_ways_figures_are_medians_each_of_its_own() -> None:
    found = figures([Measured(3, 30, None, {"a": 1}), Measured(1, 10, None, {"a": 9, "b": 4}), Measured(2, 50)])
    assert (found.value, found.cpu_us, found.postgres_us, found.more) == (2, 30, None, {"a": 5, "b": 4})
    assert found.spread == 1.0


def test_the_results_have_the_contracts_shape(measured_row: Row, rounds: dict[str, list[Measured]]) -> None:
    kept = as_json([summary(measured_row, rounds)], {"cpus": 2})
    (found,) = json.loads(json.dumps(kept))["rows"]
    assert found.keys() >= KEYS
    assert {key: found[key] for key in KEYS} == {
        "name": "an_example",
        "ours": 110,
        "peer": 50,
        "limit": None,
        "ratio_to_peer": 2.2,
        "ratio_to_limit": None,
        "unit": "requests/s",
    }
    assert found["ways"]["ours"]["cpu_us"] == 10
    assert found["rounds"] == 3


def test_a_goal_is_reached_missed_or_not_measured(measured_row: Row, rounds: dict[str, list[Measured]]) -> None:
    assert [outcome.reached for outcome in summary(measured_row, rounds).outcomes()] == [True, False, None]


def test_the_table_says_what_was_missed(measured_row: Row, rounds: dict[str, list[Measured]]) -> None:
    lines = list(table(as_json([summary(measured_row, rounds)], {})))
    assert any("an_example" in line and "2.20 × the peer's" in line for line in lines)
    assert [line.split()[0] for line in lines if "wanted" in line] == ["reached", "MISSED", "not"]


@pytest.mark.parametrize(
    ("figure", "shown"),
    [(None, "–"), (12_345.6, "12,346"), (45.67, "45.7"), (1.234, "1.23"), (0.0123456, "0.0123"), (0, "0")],
)
def test_a_figure_shows_no_more_than_it_is_worth(figure: float | None, shown: str) -> None:
    assert number(figure) == shown


def test_a_picture_is_well_formed_and_names_every_way(measured_row: Row, rounds: dict[str, list[Measured]]) -> None:
    (found,) = as_json([summary(measured_row, rounds)], {})["rows"]
    texts = [element.text for element in ET.fromstring(bars(found)).iter() if element.text]
    assert {"ours", "peer"} <= set(texts)
    assert any("An example & more" in text for text in texts)


def test_the_page_has_every_row_and_goal(
    measured_row: Row, rounds: dict[str, list[Measured]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "performance.md")
    monkeypatch.setattr(page, "PICTURES", tmp_path / "performance")
    noise = Noise()
    noise.listen()
    machine = {"when": "now", "postgres": "15", "load_by": "wrk", **noise.heard()}
    page.write(as_json([summary(measured_row, rounds)], machine))
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "## an_example" in text and "| twice the peer | ≥ 2.00 | 2.20 | reached |" in text
    assert (tmp_path / "performance/an_example.svg").is_file()


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
