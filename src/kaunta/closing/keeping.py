"""A day's close as a table to keep: its figures, then every difference, refund and tab behind them."""

from collections.abc import Iterator

from kaunta.closing.day import REASONS, Close
from kaunta.core.clock import EAT
from kaunta.payments.balance import Balance
from kaunta.statements.spreadsheet import Cell, Money, line

HEADER = ("what", "which", "receipt", "tab", "payment", "at_eat", "shillings", "note")
CHANNELS = {
    "stk": "prompt on the guest's phone",
    "c2b": "straight to the till",
    "status": "found by asking about a code",
    "pull": "found on Safaricom's list",
    "statement": "found on a statement",
}


def figures(close: Close) -> Iterator[tuple[str, str, int]]:
    """Each figure of the close: what, which, cents."""
    for channel in close.received:
        yield "received", CHANNELS[channel.channel], channel.amount * 100
    yield "received", "M-Pesa together", close.took * 100
    yield "credited", "M-Pesa on tabs", close.credited * 100
    for method in ("cash", "card"):
        yield "credited", method, close.of(method, "payment") * 100
    yield "credited", "given back", sum(close.of(each, "refund") for each in ("mpesa", "cash", "card")) * 100
    yield (
        "credited",
        "cash and card corrected",
        (sum(close.of(each, "correction", "reversal") for each in ("cash", "card")) * 100),
    )
    yield "credited", "written off", close.of(None) * 100
    yield "credited", "tests of the other environment", close.tests * 100
    yield "credited", "everything on tabs", close.on_tabs * 100
    yield "tabs", "owed when the day began", close.opening * 100
    yield "tabs", "ordered", close.ordered * 100
    yield "tabs", "owed when the day ended", close.closing * 100
    yield "refunds", "money given back", -close.given_back * 100
    for kind, words in (
        ("payment", "payments"), ("fee", "charges"), ("reversal", "reversals"), ("withdrawal", "withdrawals"),
        ("other", "own transfers"),
    ):  # fmt: skip
        yield "statement", words, close.cents(kind)


def as_lines(close: Close, held: Balance) -> Iterator[str]:
    """Lines of CSV; formula-safe, the first with a byte order mark. `held`: what Safaricom last said on that day."""
    yield line(HEADER, bom=True)
    day = close.date.isoformat()
    yield line(("day", day, None, None, None, None, None, close.day.environment))
    for what, which, cents in figures(close):
        yield line((what, which, None, None, None, None, Money(cents), None))
    for account, cents in held.accounts.items():
        told = held.at.astimezone(EAT).isoformat(timespec="seconds") if held.at else None
        yield line(("held at Safaricom", account, None, None, None, told, Money(cents), None))
    for name, differences in (("to_tabs", close.to_tabs), ("to_statement", close.to_statement)):
        for each in differences:
            cells: tuple[Cell, ...] = (
                name, REASONS[each.reason], each.receipt, each.tab_number, each.reference,
                each.at.astimezone(EAT).isoformat(timespec="seconds"), Money(each.cents), each.note,
            )  # fmt: skip
            yield line(cells)
    for refund in close.refunds:
        yield line((
            "refund", f"{refund.method} {refund.state}", refund.receipt, refund.tab_number, None,
            refund.at.astimezone(EAT).isoformat(timespec="seconds"), Money(-refund.amount * 100), refund.code,
        ))  # fmt: skip
    for tab in close.tabs:
        if tab.closing:
            yield line(("tab", "closed" if tab.closed else "open", None, tab.number, None, None,
                        Money(tab.closing * 100), tab.table_label))  # fmt: skip
