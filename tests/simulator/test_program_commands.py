"""`kaunta simulator …` at a simulator that is served."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kaunta.cli.main import app
from kaunta.cli.output import Exit
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.testing import DarajaSimulator

Run = Callable[..., Result]


@pytest.fixture
def daraja() -> Iterator[DarajaSimulator]:
    with DarajaSimulator(SimulatorOptions(auto="person", seed=7)) as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[DarajaSimulator]:
    """A server that answers, and takes no callback."""
    with DarajaSimulator() as running:
        yield running


@pytest.fixture
def run(daraja: DarajaSimulator) -> Run:
    def invoked(*words: str) -> Result:
        return CliRunner().invoke(app, ["simulator", *words, "--at", daraja.url])

    return invoked


def data(result: Result) -> Any:
    return json.loads(result.stdout)["data"]


def test_the_list_has_every_scenario_and_its_number() -> None:
    result = CliRunner().invoke(app, ["simulator", "scenario", "list", "--json"])
    listed = {each["name"]: each["phone"] for each in data(result)["scenarios"]}
    assert set(listed) == set(CATALOGUE)
    assert listed["callback_lost"] == "254711040407"


def test_a_scenario_is_queued_for_the_next_pushes(run: Run, daraja: DarajaSimulator) -> None:
    assert run("scenario", "run", "callback_lost", "--phone", "254722000001", "--times", "2").exit_code == Exit.OK
    queued = daraja.call(lambda simulator: list(simulator.choice.queue))
    assert [(each.scenario.name, each.phone, each.times) for each in queued] == [("callback_lost", "254722000001", 2)]
    assert run("scenario", "run", "callback_lots").exit_code == Exit.NOT_FOUND


def test_a_dry_run_says_what_it_would_do_and_does_nothing(run: Run, daraja: DarajaSimulator, tmp_path: Path) -> None:
    (tmp_path / "evening.yaml").write_text("- scenario: paid\n")
    (tmp_path / "said.json").write_text('{"url": "http://127.0.0.1:9/cb", "body": "{}"}')
    for words in (
        ("scenario", "run", "paid"),
        ("scenario", "run", "paid", "--callback-url", "http://127.0.0.1:9/cb"),
        ("callback", "send", "--for", "T7"),
        ("script", "run", str(tmp_path / "evening.yaml")),
        ("replay", str(tmp_path / "said.json")),
    ):
        assert run(*words, "--dry-run").exit_code == Exit.OK
    assert not daraja.pushes
    assert not daraja.callbacks
    assert not daraja.call(lambda simulator: list(simulator.choice.queue))


def test_a_push_without_a_client_tells_what_the_merchant_answered(run: Run, elsewhere: DarajaSimulator) -> None:
    refused = run("scenario", "run", "paid", "--callback-url", f"{elsewhere.url}/nowhere", "--json")
    assert refused.exit_code == Exit.FOUND_PROBLEMS
    assert data(refused)["result"] == "0"
    assert data(refused)["callbacks"][0]["attempts"][0]["status"] == 404
    silent = run("scenario", "run", "callback_lost", "--callback-url", f"{elsewhere.url}/nowhere")
    assert silent.exit_code == Exit.OK


def test_a_callback_is_sent_for_the_latest_push_of_a_reference(run: Run, daraja: DarajaSimulator) -> None:
    assert run("callback", "send", "--for", "T7", "--result", "1032").exit_code == Exit.NOT_FOUND
    run("scenario", "run", "paid", "--callback-url", "http://127.0.0.1:9/cb", "--reference", "T7")
    result = run("callback", "send", "--for", "T7", "--result", "1032", "--json")
    assert result.exit_code == Exit.FOUND_PROBLEMS
    assert data(result)["attempt"]["problem"]
    assert json.loads(daraja.callbacks[-1].body)["Body"]["stkCallback"]["ResultCode"] == 1032


def test_what_was_recorded_is_replayed_in_order_and_byte_for_byte(
    run: Run, daraja: DarajaSimulator, tmp_path: Path
) -> None:
    for scenario in ("paid", "cancelled", "garbage"):
        run("scenario", "run", scenario, "--callback-url", "http://127.0.0.1:9/cb")
    sent = [message.body for message in daraja.callbacks]
    recording = tmp_path / "evening.json"
    recording.write_text(json.dumps(daraja.call(recorded_exchanges)))
    result = run("replay", str(recording), "--json")
    assert result.exit_code == Exit.FOUND_PROBLEMS
    assert data(result)["taken"] == 0
    again = [message.body for message in daraja.callbacks][len(sent) :]
    assert again == [body.decode(errors="replace").encode() for body in sent]


def recorded_exchanges(simulator: Any) -> Any:
    from kaunta.simulator.views import exchange_view

    return {"exchanges": [exchange_view(each) for each in simulator.exchanges.listed]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no callback"),
        ("[1]", "JSON objects"),
        ("{}\nnonsense", "line 2 is not JSON"),
        ('{"Body": {}}', "--to"),
        ('{"exchanges": []}', "no callback"),
        ('{"url": "http://127.0.0.1:9/x", "body": 1}', "a body is a text"),
    ],
)
def test_a_recording_that_is_none_says_why(run: Run, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "said.json").write_text(text)
    result = run("replay", str(tmp_path / "said.json"))
    assert result.exit_code == Exit.USAGE
    assert says in result.stderr


def test_a_published_payload_is_replayed_to_an_address(run: Run, daraja: DarajaSimulator) -> None:
    sample = next((Path(__file__).parents[1] / "daraja/samples").glob("*callback*.json"))
    assert run("replay", str(sample), "--to", "http://127.0.0.1:9/cb").exit_code == Exit.FOUND_PROBLEMS
    assert json.loads(daraja.callbacks[-1].body) == json.loads(sample.read_text())["payload"]


def test_a_script_is_checked_and_begun(run: Run, daraja: DarajaSimulator, tmp_path: Path) -> None:
    script = tmp_path / "evening.yaml"
    script.write_text("name: evening\nsteps:\n- at: 3\n  pay_till: {till: 600222, phone: 254722000001, amount: 7}\n")
    checked = CliRunner().invoke(app, ["simulator", "script", "check", str(script), "--json"])
    assert data(checked)["steps"][0]["at"] == 3
    assert run("script", "run", str(script)).exit_code == Exit.OK
    daraja.settle()
    assert [payment.amount for payment in daraja.payments] == [7]
    script.write_text("steps:\n- dance: 1\n")
    wrong = run("script", "run", str(script))
    assert wrong.exit_code == Exit.USAGE
    assert "evening.yaml:2:" in wrong.stderr


def test_nobody_there_is_said_so() -> None:
    result = CliRunner().invoke(app, ["simulator", "scenario", "run", "paid", "--at", "http://127.0.0.1:9"])
    assert result.exit_code == Exit.UNREACHABLE
    assert "kaunta simulator serve" in result.stderr


def test_serving_refuses_production_and_a_wrong_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "simulator.yaml"
    config.write_text("auto: payed\n")
    wrong = CliRunner().invoke(app, ["simulator", "serve", "--port", "0", "--config", str(config)])
    assert wrong.exit_code == Exit.USAGE
    assert "simulator.yaml:1: there is no scenario 'payed'" in wrong.stderr
    monkeypatch.setenv("KAUNTA_MODE", "production")
    refused = CliRunner().invoke(app, ["simulator", "serve", "--port", "0"])
    assert refused.exit_code == Exit.REFUSED
