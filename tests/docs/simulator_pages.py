"""docs/reference/simulator/: the tables of scenarios, test numbers, replies, script verbs and options, as the program
has them."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields

from kaunta.simulator.catalogue import ALIASES, CATALOGUE, MESSAGES, OUTCOMES, SANDBOX_PHONE, TEST_PHONES
from kaunta.simulator.faults import APIS
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.phones import WRONG_PIN
from kaunta.simulator.replies import REPLIES, Form
from kaunta.simulator.rules import Action
from kaunta.simulator.scenarios import Balance, Body, Callback, Query, Receipt, Scenario
from kaunta.simulator.scripts_verbs import VERBS
from tests.docs.codes_page import table

SCENARIOS = """\
# Scenarios and test numbers

What becomes of a push is decided, in this order, by a scenario queued for it (console, [control
interface](control-interface.md), `kaunta simulator scenario run`, [script](scripts.md)), by the phone's number, by the
shares set for all pushes, and by `--auto`. `--auto` takes any scenario's name, and {aliases}.

What cannot be paid at all fails whatever was chosen: an amount above the limit (3), the wrong TransactionType for a
till (2028), the wrong PartyB (SFC_IC0003), a prompt that is too long (1025), a line that is not active (11), a locked
PIN (8006), too little money (1), the day's limit (4).
"""

NUMBERS = f"""\
## Test numbers

A push to one of these always goes the same way. Every other number, among them Safaricom's `{SANDBOX_PHONE}`, follows
`--auto`. On every phone any four digits are the right PIN, except `{WRONG_PIN}`, until the customer is given one.
"""

FIELDS = """\
## Fields

A scenario is a combination of these; `overrides` (control interface), `with` (scripts) or a keyword (pytest) change
them. Seconds are policy seconds: the clock's factor says how many pass in a real one.
"""

REPLIES_PAGE = """\
# Errors, faults and silence

Every answer that is not a success has a name. A scenario of that name refuses a push with it at once (where a push can
get it); a fault makes the next requests to an API meet it:

```
kaunta simulator serve --port 8001
curl -X POST http://127.0.0.1:8001/_sim/faults -d '{"api": "query", "reply": "spike_arrest_fault", "times": 3}'
```

`api` is one of %s. `times` null is until cleared; `latency` adds seconds. Two more things go the same way:
`{"reply": "expire_tokens"}` ends every access token, `{"reply": "refuse", "seconds": 30}` closes the port for a while.
"""

SHAPES = {
    Form.ERROR: '`{"requestId", "errorCode", "errorMessage"}`',
    Form.FAULT: '`{"fault": {"faultstring", "detail": {"errorcode"}}}`',
    Form.HTML: "an HTML page",
    Form.EMPTY: "an empty body",
    Form.RESET: "the connection is cut",
    Form.HANG: "the connection is held, nothing comes",
}

SCRIPTS = """\
# Scripts

An evening as a YAML file: what happens, and when. The file is read as a whole before anything begins, and a mistake is
told with its line.

```
kaunta simulator script check evening.yaml
kaunta simulator serve --port 8001 --script evening.yaml
```

`kaunta simulator script run evening.yaml` begins one at a simulator that is served already, the console takes one by
hand, and in a test `daraja_simulator.play("evening.yaml")` does. A test then moves time itself: `advance(60)` plays the
first minute, `settle()` all of it, in exact order and without sleeping.

```yaml
name: a Friday evening
says: what a bar should survive between eight and nine
steps:
  - customer: {phone: 254722000001, balance: 500}
  - scenario: {name: callback_lost, times: 2}
  - after: 60
    fault: {api: query, reply: spike_arrest_fault, times: 5}
  - after: 60
    pay_till: {till: 600222, phone: 254722000003, amount: 300, reference: T7}
  - at: 600
    take_back: {phone: 254722000003}
```

A step has `at` (seconds from the beginning) or `after` (seconds from the step before; neither: together with it), and
does one thing. What it does not understand is refused; what cannot be done when its moment has come (nobody's phone
rings, the payment is declined) is told in the console and at `/_sim/scripts`, and the script goes on.

YAML without tags, anchors and repeated keys. Numbers may stand without quotes, zeros in front of a PIN included.
"""

MORE_SCRIPTS = """\
## Trouble, and its end

```yaml
name: Safaricom has a bad hour
steps:
  - rates: {callback_lost: 0.05, unreachable: 0.1}
  - fault: {api: any, latency: 8, times: null}
  - at: 600
    expire_tokens: true
  - at: 900
    refuse: 30
  - at: 1200
    rule: {action: delay, kind: stk, seconds: 45, times: null}
  - at: 3600
    clear: [scenarios, faults, rules, rates]
```

## A person, scripted

```yaml
name: the wrong PIN, then the right one
steps:
  - scenario: {name: person, phone: 254722000001, times: 2}
  - customer: {phone: 254722000001, pin: 0427}
  - at: 10
    answer: {phone: 254722000001, pin: 0000}
  - at: 40
    answer: {phone: 254722000001, pin: 0427}
```

## The business moves its money

```yaml
name: a reversal comes too late
steps:
  - pay_till: {till: 600222, phone: 254722000003, amount: 300}
  - after: 5
    withdraw: {shortcode: 600222, amount: 290}
  - speed: 60
```
"""

OPTIONS = """\
# Options

`kaunta simulator serve --config simulator.yaml` reads them from a file; a test gives them as `SimulatorOptions(…)` or
with the marker `daraja`. Secrets belong into the file and never into a command's arguments.

```yaml
auto: person
strict: true
credentials:
  a-consumer-key: its-secret
shortcodes:
  - {number: 174379, passkey: the-passkey, till: 600222, name: MAMA OTIENO BAR, validates: true}
initiators:
  - {name: testapi, password: "Safaricom999!*!", roles: [status, reversal, balance]}
```

Seconds are policy seconds, of which `clock_factor` pass in a real one, unless they are called real.
"""

#: Of fields whose declaration says it shorter, or by its name alone.
EXACT = {
    "strict": "Refuse what only production refuses: a wrong clock, a callback URL that is not public https or has a "
    "forbidden word, a long reference or description, an empty 400 for a wrong key; lock subscribers and repetitions.",
    "max_amount": "The largest amount of one payment, shillings; above it: result 3.",
    "clock_factor": "How many seconds of policy pass in a real one.",
    "prompt_life": "Seconds a prompt stays on a phone.",
    "token_life": "Seconds an access token is good for.",
    "business_name": "What prompts and receipts call a business without a name.",
    "callback_retries": "How often a callback is tried again that the merchant did not take. Safaricom: never.",
    "callback_retry_after": "Seconds until then.",
}


OF_SCENARIOS = {
    "answer": 'How the push is answered: "ack", or the name of a reply, `reset` and `hang` among them.',
    "answer_after": "Seconds until the push is answered.",
    "callbacks": "What is sent to CallBackURL: a list of callbacks.",
    "query": "What queries hear: a query.",
    "after": "Seconds from the outcome.",
    "text": "The ResultDesc; none: Safaricom's for the code.",
    "copies": "How many leave at the same moment.",
    "body": "What the body looks like.",
    "receipt": "Which receipt a success carries; `second` takes the money twice.",
    "balance": "The Balance item; production sends it without a Value.",
}


def scenarios_page() -> str:
    aliases = ", ".join(f"`{short}` for `{name}`" for short, name in ALIASES.items())
    named = {scenario.name for scenario in (*OUTCOMES, *MESSAGES)}
    refusals = [name for name in CATALOGUE if name not in named]
    lines = [SCENARIOS.format(aliases=aliases), "## What comes of it", ""]
    lines += table(["Scenario", "Result", "What happens"], [row(scenario) for scenario in OUTCOMES])
    lines += ["## What is told of it, and when", ""]
    lines += table(["Scenario", "Result", "What happens"], [row(scenario) for scenario in MESSAGES])
    lines += ["## Refused at once", "", "What each is: [errors and faults](errors-and-faults.md).", ""]
    lines += [", ".join(f"`{name}`" for name in refusals) + ".", "", NUMBERS]
    lines += table(
        ["Number", "Scenario", "What happens"],
        [[f"`{number}`", f"`{name}`", CATALOGUE[name].says] for number, name in TEST_PHONES.items()],
    )
    lines += [FIELDS]
    for title, kind in (("scenario", Scenario), ("callback", Callback), ("query", Query)):
        lines += [f"Of a {title}:", ""]
        lines += table(["Field", "Unless said", "Meaning"], list(field_rows(kind)))
    for name, values in (("body", Body), ("receipt", Receipt), ("balance", Balance)):
        lines += [f"`{name}` is one of {', '.join(f'`{value}`' for value in values)}.", ""]
    return "\n".join(lines)


def row(scenario: Scenario) -> list[str]:
    return [f"`{scenario.name}`", f"`{scenario.result}`" if scenario.result else "the person's", scenario.says]


def field_rows(kind: type) -> Iterator[list[str]]:
    meanings = comments(kind) | OF_SCENARIOS
    for field in fields(kind):
        if field.name not in ("name", "says"):
            yield [f"`{field.name}`", default(field), meanings.get(field.name, "")]


def default(field: "Field[object]") -> str:
    if field.default is MISSING:
        return ""
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f"`{field.default}`" if isinstance(field.default, int | float | str) else ""


def comments(kind: type) -> dict[str, str]:
    """What the `#:` lines above each field say."""
    found: dict[str, str] = {}
    said: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        if note := re.match(r"    #: (.*)", line):
            said.append(note[1])
        elif named := re.match(r"    (\w+): ", line):
            found[named[1]] = " ".join(said)
            said = []
    return found


def replies_page() -> str:
    rows = [
        [f"`{name}`", str(reply.status or ""), f"`{reply.code}`" if reply.code else "", reply.text, SHAPES[reply.form]]
        for name, reply in REPLIES.items()
    ]
    lines = [REPLIES_PAGE % ", ".join(f"`{api}`" for api in APIS)]
    lines += table(["Name", "HTTP", "Code", "Text", "Body"], rows)
    return "\n".join(lines)


def scripts_page() -> str:
    rows = [
        [f"`{name}`", verb.says, "; ".join(f"`{key}`{f' {what}' if what else ''}" for key, what in verb.fields.items())]
        for name, verb in VERBS.items()
    ]
    actions = ", ".join(f"`{action}`" for action in Action)
    lines = [SCRIPTS, "## What a step can do", ""]
    lines += table(["Step", "What happens", "Takes"], rows)
    lines += [f"A rule's action is one of {actions}.", "", MORE_SCRIPTS]
    return "\n".join(lines)


def options_page() -> str:
    meanings = comments(SimulatorOptions) | EXACT
    rows = [[f"`{field.name}`", default(field), meanings[field.name]] for field in fields(SimulatorOptions)]
    return "\n".join([OPTIONS, *table(["Option", "Unless said", "Meaning"], rows)])
