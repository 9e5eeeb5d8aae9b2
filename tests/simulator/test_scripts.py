"""Scripts: timed steps from a YAML file, in exact order, with complaints that name the line."""

import re
from pathlib import Path

import pytest

from kaunta.simulator.options import Shortcode, SimulatorOptions
from kaunta.simulator.options_file import options_from
from kaunta.simulator.scripts import script_from
from kaunta.simulator.scripts_reading import BadFile
from kaunta.simulator.scripts_verbs import VERBS
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.testing import RunningSimulator

from .merchant import Merchant, Till

DOCUMENT = Path(__file__).parents[2] / "docs/reference/simulator/scripts.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

EVENING = """\
name: an evening
says: what the steps do, in order
steps:
  - customer: {phone: 254722000001, balance: 1000, pin: 0123}
  - scenario: {name: callback_twice, phone: 254722000002, times: 2, with: {delay: 1}}
  - at: 10
    answer: {phone: 254722000001, pin: 0123}
  - after: 5
    pay_till: {till: 600222, phone: 254722000003, amount: 300, reference: T7}
  - after: 5
    take_back: {phone: 254722000003, amount: 100}
  - withdraw: {shortcode: 600222, amount: 50}
  - at: 30
    rule: {action: alter, kind: stk, times: null, changes: {Body.stkCallback.ResultCode: 17}}
  - fault: {api: push, reply: busy, latency: 0}
"""


async def test_the_steps_happen_at_their_moments_and_in_order(
    safaricom: RunningSimulator, till: Till, merchant: Merchant
) -> None:
    simulator = safaricom.simulator
    playing = safaricom.scripts.play(script_from(EVENING))
    await simulator.advance(1)
    simulator.queue_scenario("person", phone="254722000001")
    asked = await till.pushed(PhoneNumber=254722000001, Amount=900)
    await simulator.advance(8)
    assert simulator.pushes[asked].result is None
    await simulator.advance(2)
    assert simulator.pushes[asked].result == "0"
    await simulator.advance(30)
    kinds = [(payment.kind, payment.amount) for payment in simulator.ledger]
    assert kinds == [("stk", 900), ("till", 300), ("customer_reversal", 100), ("withdrawal", 50)]
    assert playing.over
    assert not playing.problems
    assert (await till.push()).json["errorCode"] == "500.003.02"
    await till.pushed(PhoneNumber=254722000002)
    await simulator.settle()
    assert [each.told["ResultCode"] for each in merchant.received] == [0, 17, 17]


async def test_a_step_that_cannot_be_done_is_told_and_the_script_goes_on(safaricom: RunningSimulator) -> None:
    text = """
- answer: {phone: 254722000001, result: 0}
- pay_till: {till: 600222, phone: 254722000001, amount: 1000000}
- take_back: {phone: 254722000001}
- withdraw: {shortcode: 600222, amount: 1}
- scenario: cancelled
"""
    playing = safaricom.scripts.play(script_from(text))
    await safaricom.simulator.settle()
    assert playing.problems == [
        "line 2: the phone 254722000001 shows no prompt",
        "line 3: declined with 4",
        "line 4: 254722000001 has paid nothing",
        "line 5: 600222 cannot withdraw 1: 1",
    ]
    assert len(safaricom.simulator.choice.queue) == 1


async def test_trouble_comes_and_is_cleared(safaricom: RunningSimulator, till: Till) -> None:
    text = """
- fault: {api: query, reply: html_5xx, times: null}
- rates: {cancelled: 0.5}
- rule: {action: drop}
- expire_tokens: true
- at: 60
  clear: [scenarios, faults, rules, rates]
- speed: 10
"""
    simulator: Simulator = safaricom.simulator
    safaricom.scripts.play(script_from(text))
    await simulator.advance(1)
    assert len(simulator.faults.listed) == len(simulator.outbox.rules) == len(simulator.choice.rates) == 1
    assert (await till.push()).status == 404
    await simulator.advance(60)
    assert not (simulator.faults.listed or simulator.outbox.rules or simulator.choice.rates)
    assert simulator.clock.factor == 10


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "empty"),
        ("name: x\n", 1, "has steps"),
        ("steps: []\n", 1, "no steps"),
        ("steps:\n- at: 1\n", 2, "this one has none"),
        ("steps:\n- speed: 1\n  expire_tokens: true\n", 2, "speed and expire_tokens"),
        ("steps:\n- at: 1\n  after: 2\n  speed: 1\n", 2, "not both"),
        ("steps:\n- at: soon\n  speed: 1\n", 2, "a number, 0 or more"),
        ("steps:\n- at: .inf\n  speed: 1\n", 2, "a number, 0 or more"),
        ("steps:\n- speed: 1\n- dance: 1\n", 3, "no 'dance'"),
        ("steps:\n- scenario: payed\n", 2, "did you mean paid"),
        ("steps:\n- scenario:\n    name: paid\n    phon: 254722000001\n", 4, "no 'phon'"),
        ("steps:\n- scenario: {name: paid, phone: 12}\n", 2, "12 digits"),
        ("steps:\n- scenario: {name: paid, with: {dealy: 1}}\n", 2, "no dealy"),
        ("steps:\n- scenario: {phone: 254722000001}\n", 2, "name is missing"),
        ("steps:\n- fault: {reply: busi}\n", 2, "no reply 'busi'"),
        ("steps:\n- answer: {phone: 254722000001}\n", 2, "result or pin"),
        ("steps:\n- rule: {action: eat}\n", 2, "action is one of"),
        ("steps:\n- rates: {paid: 0.7, cancelled: 0.7}\n", 2, "more than 1"),
        ("steps:\n- clear: [everything]\n", 2, "clear may have"),
        ("steps:\n- speed: 1\n  speed: 2\n", 3, "twice"),
        ("steps:\n- speed: [1\n", 3, "not YAML"),
        ("steps: &a\n- *a\n", 2, "anchors"),
        ("steps:\n- scenario: !!python/name:os.system x\n", 2, "cannot be read"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadFile, match=rf"evening\.yaml:{line}: .*{re.escape(says)}"):
        script_from(text, "evening.yaml")


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_every_example_of_the_documentation_can_be_played(safaricom: RunningSimulator, number: int) -> None:
    playing = safaricom.scripts.play(script_from(EXAMPLES[number]))
    await safaricom.simulator.settle()
    assert playing.over
    assert not [problem for problem in playing.problems if "shows no prompt" not in problem]


def test_the_examples_show_every_verb() -> None:
    shown = {step.verb for example in EXAMPLES for step in script_from(example).steps}
    assert shown == set(VERBS)


def test_options_are_read_from_a_file() -> None:
    text = """
auto: cancel
prompt_life: 30
strict: true
queries_per_minute: 5
business_name: MAMA OTIENO
credentials: {a-key: a-secret}
shortcodes:
  - {number: 174379, passkey: bfb2, till: 600222, name: BAA, validates: true}
initiators:
  - {name: testapi, password: "Safaricom999!*!", roles: [status]}
seed: null
"""
    options = options_from(text, "simulator.yaml", SimulatorOptions(auto="person"))
    assert (options.auto, options.prompt_life, options.strict, options.queries_per_minute) == ("cancel", 30.0, True, 5)
    assert options.credentials == {"a-key": "a-secret"}
    assert options.shortcodes == (Shortcode("174379", "bfb2", "600222", "BAA", True),)
    assert options.initiators[0].roles == {"status"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("strict: 1\n", 1, "true or false"),
        ("auto: person\nprompt_live: 3\n", 2, "no 'prompt_live'"),
        ("seed: 1\nauto: payed\n", 2, "no scenario 'payed'"),
        ("keep: null\n", 1, "a number"),
        ("shortcodes:\n- {till: 600222}\n", 2, "number is missing"),
        ("initiators:\n- {name: x, roles: [king]}\n", 2, "roles are of"),
        ("- auto\n", 1, "a mapping"),
    ],
)
def test_a_mistake_in_the_options_is_told_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadFile, match=rf"simulator\.yaml:{line}: .*{re.escape(says)}"):
        options_from(text, "simulator.yaml")
