"""What a step of a script can do: for each verb, how it is read, checked and done."""

from collections.abc import Callable

from kaunta.simulator.bank import NotPossible
from kaunta.simulator.catalogue import scenario_named
from kaunta.simulator.checks import PHONE, SHORTCODE
from kaunta.simulator.direct import Declined
from kaunta.simulator.faults import Fault
from kaunta.simulator.ledger import COMING
from kaunta.simulator.pushes import Kind
from kaunta.simulator.rules import Action, Rule
from kaunta.simulator.scenarios import altered
from kaunta.simulator.scripts_playing import Deed, Impossible
from kaunta.simulator.scripts_reading import Fields, Written
from kaunta.simulator.simulator import AlreadyAnswered, Simulator

CLEARED = ("scenarios", "faults", "rules", "rates")


def now(act: Callable[[Simulator], object]) -> Deed:
    """A deed that takes no time."""

    async def done(simulator: Simulator) -> None:
        act(simulator)

    return done


def phone_in(given: Fields) -> str:
    return given.matching("phone", PHONE, "12 digits like 254708374149")


# The verbs


def scenario(written: Written) -> Deed:
    if not isinstance(written.value, dict):
        plain = scenario_named(written.text("scenario"))
        return now(lambda simulator: simulator.queue_scenario(plain))
    given = written.fields("scenario", ("name", "phone", "times", "with"), ("name",))
    chosen = altered(scenario_named(given.text("name") or ""), given.plain("with"))
    phone, times = phone_in(given) or None, given.whole("times")
    return now(lambda simulator: simulator.queue_scenario(chosen, phone=phone, times=times))


def fault(written: Written) -> Deed:
    given = written.fields("fault", ("api", "reply", "times", "latency"))

    def made() -> Fault:
        api = given.text("api") or "any"
        return Fault(api, given.text("reply"), given.whole_or_null("times", 1), given.number("latency"))

    # Made once now for its complaints, and anew each time, because a fault counts its uses.
    made()
    return now(lambda simulator: simulator.faults.add(made()))


def expire_tokens(written: Written) -> Deed:
    if written.value is not True:
        raise written.wrong("expire_tokens is true")
    return now(lambda simulator: simulator.tokens.expire())


def refuse(written: Written) -> Deed:
    seconds = written.number("refuse")

    def closed(simulator: Simulator) -> None:
        if simulator.door is None:
            raise Impossible("this server cannot stop listening")
        simulator.agenda.add(0, "door", simulator.door.refuse)
        simulator.agenda.add(seconds, "door", simulator.door.accept)

    return now(closed)


def answer(written: Written) -> Deed:
    given = written.fields("answer", ("phone", "result", "pin"), ("phone",))
    phone, result, pin = phone_in(given), given.text("result"), given.text("pin")
    if (result is None) == (pin is None):
        raise written.wrong("answer has result or pin")

    def answered(simulator: Simulator) -> None:
        push = next(iter(simulator.phones.seen(phone).prompts.values()), None)
        if push is None:
            raise Impossible(f"the phone {phone} shows no prompt")
        try:
            if result is not None:
                simulator.answer(push.checkout_id, result)
            else:
                simulator.enter_pin(push.checkout_id, pin or "")
        except AlreadyAnswered:
            raise Impossible(f"the prompt of {phone} has its outcome already") from None

    return now(answered)


def pay_till(written: Written) -> Deed:
    given = written.fields("pay_till", ("till", "phone", "amount", "reference"), ("till", "phone", "amount"))
    till, phone = given.matching("till", SHORTCODE, "5 to 7 digits"), phone_in(given)
    amount, reference = given.whole("amount"), given.text("reference") or ""

    async def paid(simulator: Simulator) -> None:
        try:
            await simulator.pay_till(till, phone, amount, reference)
        except Declined as declined:
            raise Impossible(f"declined with {declined.code}") from None
        except ValueError as problem:
            raise Impossible(str(problem)) from None

    return paid


def take_back(written: Written) -> Deed:
    given = written.fields("take_back", ("phone", "amount"), ("phone",))
    phone, amount = phone_in(given), given.whole_or_null("amount", None)

    def taken(simulator: Simulator) -> None:
        last = next((p for p in reversed(list(simulator.ledger)) if p.phone == phone and p.kind in COMING), None)
        if last is None:
            raise Impossible(f"{phone} has paid nothing")
        try:
            simulator.bank.give_back(last.receipt, None, amount, Kind.CUSTOMER_REVERSAL)
        except NotPossible as problem:
            raise Impossible(f"{last.receipt} cannot be taken back: {problem.code}") from None

    return now(taken)


def withdraw(written: Written) -> Deed:
    given = written.fields("withdraw", ("shortcode", "amount"), ("shortcode", "amount"))
    number, amount = given.matching("shortcode", SHORTCODE, "5 to 7 digits"), given.whole("amount")

    def withdrawn(simulator: Simulator) -> None:
        try:
            simulator.bank.withdraw(number, amount)
        except NotPossible as problem:
            raise Impossible(f"{number} cannot withdraw {amount}: {problem.code}") from None

    return now(withdrawn)


def rule(written: Written) -> Deed:
    names = ("action", "kind", "phone", "url_contains", "times", "seconds", "copies", "changes", "raw")
    given = written.fields("rule", names, ("action",))
    said = given.text("action")
    if said not in list(Action):
        raise given.given["action"].wrong(f"action is one of {', '.join(Action)}")

    def made() -> Rule:
        return Rule(
            action=Action(said),
            kind=given.text("kind"),
            phone=phone_in(given) or None,
            url_contains=given.text("url_contains"),
            times=given.whole_or_null("times", 1),
            seconds=given.number("seconds"),
            copies=given.whole("copies", 2),
            changes=given.plain("changes"),
            raw=given.text("raw"),
        )

    made()
    return now(lambda simulator: simulator.outbox.rules.append(made()))


def rates(written: Written) -> Deed:
    shares = {name: share.number(name) for name, share in written.entries("rates").items()}
    for name in shares:
        scenario_named(name)
    if sum(shares.values()) > 1:
        raise written.wrong("the shares make more than 1")
    return now(lambda simulator: simulator.choice.set_rates(shares))


def customer(written: Written) -> Deed:
    given = written.fields("customer", ("phone", "balance", "pin", "active", "unlock"), ("phone",))
    phone, pin, active = phone_in(given), given.text("pin"), given.yes("active")
    unlock, balance = given.yes("unlock"), None
    if given.has("balance") and given.given["balance"].value is not None:
        balance = int(given.number("balance"))

    def changed(simulator: Simulator) -> None:
        known = simulator.subscribers.of(phone)
        if given.has("balance"):
            known.balance = balance
        known.pin = known.pin if pin is None else pin
        known.active = known.active if active is None else active
        if unlock:
            known.pin_locked, known.wrong_pins = False, 0
        simulator.phones.phone(phone).change()

    return now(changed)


def speed(written: Written) -> Deed:
    factor = written.number("speed")
    if factor <= 0:
        raise written.wrong("speed is above 0")
    return now(lambda simulator: simulator.speed(factor))


def clear(written: Written) -> Deed:
    names = [each.text("clear") for each in written.members("clear")]
    if set(names) - set(CLEARED):
        raise written.wrong(f"clear may have {', '.join(CLEARED)}")

    def cleared(simulator: Simulator) -> None:
        if "scenarios" in names:
            simulator.choice.queue.clear()
        if "faults" in names:
            simulator.faults.clear()
        if "rules" in names:
            simulator.outbox.rules.clear()
        if "rates" in names:
            simulator.choice.rates = {}

    return now(cleared)
