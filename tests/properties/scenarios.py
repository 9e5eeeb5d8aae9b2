"""What may become of a push: every scenario that has a name, and ones put together from the same parts.

What is put together may contradict itself in any order. The one thing Safaricom does not do is to tell another amount
than it took: nobody could ever know.
"""

from dataclasses import replace

from hypothesis import strategies as st

from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.replies import REPLIES
from kaunta.simulator.scenarios import Body, Callback, Query, Receipt, Scenario

from .evidence import CANCEL, FINAL, UNPROVEN

CODES = ("0", "0", *sorted(FINAL | CANCEL | UNPROVEN), "7777", "E3008")
#: Replies that end a request at once: what a fault or a query may meet. A held connection would hold the worker.
AT_ONCE = tuple(name for name in REPLIES if name != "hang")
ANSWERS = ("ack", "ack", "ack", "reset", "hang", "html_502", "html_5xx", "empty_5xx", "empty_200")

#: What went wrong in life, and more often here than the rest.
LIFE = (
    "paid",
    "paid",
    "late_success",
    "second_receipt",
    "failure_after_success",
    "success_after_failure",
    "callback_twice",
    "parallel_duplicates",
    "callback_lost",
    "callback_slow",
    "amount_differs",
    "success_without_receipt",
    "ack_lost",
    "ack_hangs",
    "ack_and_callback_lost",
    "slow_answer",
    "unreachable",
    "query_disagrees",
    "query_says_paid",
    "unknown_code",
    "person",
)
named = st.one_of(st.sampled_from(LIFE), st.sampled_from(sorted(CATALOGUE)))
callbacks = st.builds(
    Callback,
    after=st.sampled_from([0.0, 0.0, 3.0, 40.0, 120.0, 400.0]),
    result=st.sampled_from([None, None, None, "0", "1", "1032", "1037", "7777"]),
    copies=st.sampled_from([1, 1, 1, 2, 4]),
    body=st.sampled_from([Body.NORMAL, Body.NORMAL, Body.NORMAL, *Body]),
    receipt=st.sampled_from([Receipt.OWN, Receipt.OWN, *Receipt]),
    masked_phone=st.booleans(),
)
queries = st.builds(
    Query,
    first=st.lists(st.sampled_from(["4999", "0", "1032", "1037", *AT_ONCE]), max_size=2).map(tuple),
    final=st.sampled_from([None, None, None, "0", "1", "1032", "1037", "9999", "7777"]),
    stuck=st.sampled_from([False, False, False, True]),
)
composed = st.builds(
    Scenario,
    name=st.just("composed"),
    says=st.just("put together"),
    answer=st.sampled_from(ANSWERS),
    answer_after=st.sampled_from([0.0, 0.0, 20.0, 310.0]),
    callbacks_first=st.sampled_from([False, False, True]),
    result=st.sampled_from(["0", "0", "0", "0", None, "1", "1032", "1037", "9999", "7777"]),
    delay=st.sampled_from([0.0, 4.0, 4.0, 61.0, 310.0, 310.0]),
    amount_off_by=st.sampled_from([0, 0, 0, -10, 25]),
    callbacks=st.one_of(st.just((Callback(),)), st.lists(callbacks, max_size=3).map(tuple)),
    query=queries,
)


def scenario(name: str) -> Scenario:
    return CATALOGUE[name]


scenarios = st.one_of(named.map(scenario), composed)
#: For several at once: whose callback does not come before the answer, so that what is free is known.
patient = scenarios.map(lambda chosen: replace(chosen, callbacks_first=False))
