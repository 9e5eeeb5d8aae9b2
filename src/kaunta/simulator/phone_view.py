"""What one simulated phone shows at this moment, as the page draws it."""

import re

from kaunta.simulator.catalogue import TEST_PHONES
from kaunta.simulator.checks import prompt_text
from kaunta.simulator.clock import EAT
from kaunta.simulator.ledger import COMING
from kaunta.simulator.phones import WRONG_PIN, Phone
from kaunta.simulator.simulator import Simulator

PIN = re.compile(r"[0-9]{4}")


def phone_view(simulator: Simulator, number: str) -> dict[str, object]:
    """The phone of a number, whether or not anything has happened to it."""
    phone = simulator.phones.seen(number)
    customer = simulator.subscribers.of(number)
    now = simulator.clock.now().astimezone(EAT)
    return {
        "number": number,
        "label": readable(number),
        "name": customer.name.title(),
        "version": phone.version,
        "time": f"{now:%H:%M}",
        "prompt": prompt_view(simulator, phone),
        "waiting": max(0, len(phone.prompts) - 1),
        "inbox": [
            {
                "at": f"{sms.at.astimezone(EAT):%H:%M}",
                "text": sms.text,
                "receipt": forwardable(simulator, sms.text),
            }
            for sms in phone.inbox
        ],
        "balance": customer.balance,
        "pin": customer.pin,
        "pin_locked": customer.pin_locked,
        "active": customer.active,
        "always": TEST_PHONES.get(number),
        "wrong_pin": WRONG_PIN,
    }


def prompt_view(simulator: Simulator, phone: Phone) -> dict[str, str] | None:
    """The oldest prompt: a phone shows one at a time."""
    push = next(iter(phone.prompts.values()), None)
    if push is None:
        return None
    words = prompt_text(push.wanted, simulator.options.name_of(push.wanted.shortcode))
    # The currency stays on the amount's line.
    return {"text": words.replace("KES ", "KES\N{NO-BREAK SPACE}"), "checkout_id": push.checkout_id}


def forwardable(simulator: Simulator, text: str) -> str:
    """The receipt of an SMS, if there is still something to take back; else ""."""
    receipt = text.partition(" ")[0]
    payment = simulator.ledger.find(receipt)
    if payment is None or payment.kind not in COMING:
        return ""
    return receipt if simulator.ledger.reversed_amount(receipt) < payment.amount else ""


def readable(number: str) -> str:
    return f"0{number[3:6]} {number[6:9]} {number[9:]}"
