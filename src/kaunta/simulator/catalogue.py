"""The scenarios that have a name, and the test phones that stand for them.

The names are part of the control interface, of `--auto` and of Kaunta's own tests.
"""

from dataclasses import replace
from difflib import get_close_matches

from kaunta.simulator.replies import REPLIES
from kaunta.simulator.scenarios import Body, Callback, Query, Receipt, Scenario, UnknownScenario


def failing(name: str, code: str, says: str, *, delay: float = 4.0, rings: bool = True) -> Scenario:
    return Scenario(name, says, result=code, delay=delay, rings=rings)


def refusal(name: str) -> Scenario:
    """A push that is not taken on; the reply has the scenario's name."""
    reply = REPLIES[name]
    words = f"{reply.code} {reply.text}".strip()
    return Scenario(name, f"refused at once: HTTP {reply.status} {words}".strip(), accepts=False, answer=name)


OUTCOMES = (
    Scenario("paid", "the customer enters the PIN"),
    Scenario("person", "whoever holds the phone decides", result=None),
    failing("cancelled", "1032", "the customer presses Cancel", delay=6),
    failing("cancelled_1031", "1031", "the customer presses Cancel, in the other wording"),
    failing("wrong_pin", "2001", "the PIN is wrong"),
    failing("no_funds", "1", "there is not enough money"),
    failing("unreachable", "1037", "the phone is off", delay=26, rings=False),
    replace(
        failing("ignored", "1037", "nobody touches the phone", delay=60),
        callbacks=(Callback(text="No response from user."),),
    ),
    failing("expired", "1019", "the request lapses", delay=60),
    failing("amount_too_small", "2", "below the least amount"),
    failing("amount_too_large", "3", "above the largest transaction"),
    failing("daily_limit", "4", "the customer's day is used up"),
    failing("account_full", "8", "the business may hold no more"),
    failing("line_not_active", "11", "the wallet is not active"),
    failing("rule_limited", "17", "the same amount twice within two minutes", delay=2, rings=False),
    failing("traffic_blocked", "26", "M-Pesa is busy", delay=2, rings=False),
    failing("line_busy", "1001", "another session on the phone", delay=2, rings=False),
    failing("push_error_1025", "1025", "the prompt is too long to send", delay=2, rings=False),
    failing("push_error_9999", "9999", "the prompt could not be sent", delay=2, rings=False),
    failing("not_delivered", "1036", "the prompt was not delivered", delay=26, rings=False),
    failing("pin_locked", "8006", "the PIN is locked"),
    failing("store_mismatch", "2002", "agent and store number do not fit", delay=2, rings=False),
    failing("product_mismatch", "2028", "the wrong TransactionType for this business", delay=2, rings=False),
    failing("till_mismatch", "SFC_IC0003", "the wrong PartyB; this code is a text", delay=2, rings=False),
    failing("bad_debt", "E3008", "the sandbox's answer to a number that is not its own", delay=2, rings=False),
    failing("code_1050", "1050", "a code that only lists of the community have"),
    failing("unknown_code", "7777", "a code nobody has seen"),
)

MESSAGES = (
    Scenario("callback_lost", "paid, and the callback never arrives", callbacks=()),
    Scenario("callback_twice", "paid, told twice", callbacks=(Callback(), Callback(after=2))),
    Scenario("parallel_duplicates", "paid, told five times at the same moment", callbacks=(Callback(copies=5),)),
    Scenario("callback_first", "paid, told before the push is answered", callbacks_first=True),
    Scenario("callback_slow", "paid, told 40 s later", callbacks=(Callback(after=40),)),
    Scenario("callback_late", "paid at once, told ten minutes later", callbacks=(Callback(after=600),)),
    Scenario("late_success", "paid after more than five minutes", delay=330, query=Query(pending="4999")),
    Scenario("ack_lost", "taken on, but the connection ends before the answer; the callback comes", answer="reset"),
    Scenario("ack_hangs", "taken on, but the answer never comes; the callback does", answer="hang"),
    Scenario("ack_and_callback_lost", "paid, and nobody is told", answer="reset", callbacks=()),
    Scenario("ack_html", "taken on, and a gateway's error page is the answer", answer="html_502"),
    Scenario("ack_empty", "taken on, and an empty HTTP 500 is the answer", answer="empty_5xx"),
    Scenario("slow_answer", "taken on, the answer takes 20 s", answer_after=20, delay=30),
    Scenario("success_without_receipt", "paid, without a receipt", callbacks=(Callback(receipt=Receipt.NONE),)),
    Scenario("success_without_metadata", "paid, without details", callbacks=(Callback(body=Body.NO_METADATA),)),
    Scenario("success_empty_items", "paid, with no items", callbacks=(Callback(body=Body.EMPTY_ITEMS),)),
    Scenario("amount_differs", "ten shillings less are paid than asked", amount_off_by=-10),
    Scenario(
        "failure_after_success", "paid, then told it failed", callbacks=(Callback(), Callback(after=5, result="1037"))
    ),
    Scenario(
        "success_after_failure", "told it failed, then paid", callbacks=(Callback(result="1037"), Callback(after=5))
    ),
    Scenario(
        "second_receipt",
        "charged twice: two receipts for one push",
        callbacks=(Callback(), Callback(after=3, receipt=Receipt.SECOND)),
    ),
    Scenario(
        "query_disagrees", "paid; the query says cancelled", callbacks=(Callback(after=40),), query=Query(final="1032")
    ),
    Scenario("query_says_paid", "cancelled; the query says paid", result="1032", query=Query(final="0")),
    Scenario(
        "query_only", "paid; no callback, the query tells", callbacks=(), query=Query(("processing", "no_message"))
    ),
    Scenario("query_too_early", "paid; early queries are refused", query=Query(("invalid_checkout_id",)), delay=20),
    Scenario(
        "query_flaky",
        "paid, not told; queries stumble",
        callbacks=(),
        query=Query(("4999", "no_message", "html_5xx", "unknown_transaction", "spike_arrest_fault")),
    ),
    Scenario("stuck", "paid, not told; the query says pending for ever", callbacks=(), query=Query(stuck=True)),
    Scenario("garbage", "paid; the callback is not JSON", callbacks=(Callback(body=Body.GARBAGE),)),
    Scenario("empty_callback", "paid; the callback is empty", callbacks=(Callback(body=Body.EMPTY),)),
    Scenario("big_body", "paid; the callback is 1 MB long", callbacks=(Callback(padding=1_000_000),)),
    Scenario("confirmation_lost", "paid; the callback comes, the C2B confirmation does not", confirms_after=None),
    Scenario(
        "confirmation_first",
        "paid; the C2B confirmation comes before the callback",
        callbacks=(Callback(after=6),),
        confirms_after=0.0,
    ),
    Scenario("confirmation_only", "paid; only the C2B confirmation comes", callbacks=()),
    Scenario("masked_phone", "paid; the callback masks the number", callbacks=(Callback(masked_phone=True),)),
)

#: Replies that no push gets.
OF_OTHER_CALLS = (
    "invalid_checkout_id",
    "processing",
    "unknown_transaction",
    "invalid_transaction_id",
    "urls_registered",
    "duplicate_notification",
    "not_subscribed",
)

REFUSALS = tuple(refusal(name) for name, reply in REPLIES.items() if name not in OF_OTHER_CALLS)

CATALOGUE: dict[str, Scenario] = {each.name: each for each in (*OUTCOMES, *MESSAGES, *REFUSALS)}
CATALOGUE["rejected"] = replace(refusal("invalid_phone"), name="rejected")

#: What `--auto` calls some of them.
ALIASES = {"approve": "paid", "cancel": "cancelled", "ignore": "ignored", "busy_line": "line_busy"}

#: Safaricom's documented test number; it means nothing special here and follows `--auto`.
SANDBOX_PHONE = "254708374149"

TEST_PHONES: dict[str, str] = {
    f"2547110404{number:02d}": name
    for number, name in enumerate(
        (
            "paid",
            "no_funds",
            "cancelled",
            "wrong_pin",
            "unreachable",
            "ignored",
            "expired",
            "callback_lost",
            "callback_twice",
            "callback_first",
            "late_success",
            "ack_lost",
            "ack_hangs",
            "ack_and_callback_lost",
            "success_without_receipt",
            "amount_differs",
            "failure_after_success",
            "success_after_failure",
            "second_receipt",
            "query_disagrees",
            "query_only",
            "query_flaky",
            "stuck",
            "garbage",
            "big_body",
            "parallel_duplicates",
            "slow_answer",
            "person",
            "rejected",
            "busy",
            "subscriber_locked",
            "spike_arrest_fault",
            "html_5xx",
            "empty_5xx",
            "wrong_credentials",
            "merchant_unknown",
            "rule_limited",
            "traffic_blocked",
            "line_busy",
            "pin_locked",
            "daily_limit",
            "account_full",
            "line_not_active",
            "not_delivered",
            "push_error_9999",
            "product_mismatch",
            "till_mismatch",
            "unknown_code",
            "query_says_paid",
            "masked_phone",
        )
    )
}


def scenario_named(name: str) -> Scenario:
    """The scenario of a name or an alias; raises `UnknownScenario` naming the nearest ones."""
    found = CATALOGUE.get(ALIASES.get(name, name))
    if found is None:
        near = get_close_matches(name, [*CATALOGUE, *ALIASES], n=3)
        raise UnknownScenario(f"there is no scenario {name!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    return found


def duplicate_parallel(copies: int) -> Scenario:
    """Paid, with `copies` of the callback leaving at the same moment."""
    return replace(CATALOGUE["parallel_duplicates"], callbacks=(Callback(copies=copies),))
