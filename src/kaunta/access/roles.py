"""What each role at a bar may do: one table, which the pages, the API and the documentation read.

A role belongs to one bar. An administrator of the installation is none of these: diagnosis, keys and backups, and no
right to any bar's money.
"""

from enum import StrEnum

from kaunta.access.accounts import Role
from kaunta.core.errors import Forbidden


class May(StrEnum):
    """Something that not everybody at a bar may do; the value completes the sentence "Your role may not …"."""

    SERVE = "work with tabs, orders and payments"
    MATCH = "match a receipt to a tab"
    BLOCK = "keep M-Pesa prompts from a phone, or let them through again"
    RESOLVE = "say how an unknown payment ended"
    REFUND = "give money back"
    APPROVE = "approve what somebody else asked for"
    SWITCH = "switch M-Pesa on or off"
    CREDENTIALS = "change M-Pesa credentials or the environment"
    EXPORT = "export payments or see whole phone numbers"
    CLOSE_DAY = "import statements or see the day's close"
    MENU = "change the menu or the tables"
    BAR = "change the bar’s name or its ways to pay"
    LIMITS = "change who may decide alone, and up to what amount"
    PEOPLE = "invite people or change their roles"
    AUDIT = "read the audit"


EVERYBODY = frozenset[Role]({"waiter", "cashier", "manager", "owner"})
CASHIER_UP = EVERYBODY - {"waiter"}
MANAGER_UP = CASHIER_UP - {"cashier"}
OWNER = frozenset[Role]({"owner"})

ALLOWED: dict[May, frozenset[Role]] = {
    May.SERVE: EVERYBODY,
    May.MATCH: CASHIER_UP,
    May.BLOCK: CASHIER_UP,
    May.RESOLVE: CASHIER_UP,
    May.REFUND: MANAGER_UP,
    May.APPROVE: MANAGER_UP,
    May.SWITCH: MANAGER_UP,
    May.CREDENTIALS: OWNER,
    May.EXPORT: MANAGER_UP,
    May.CLOSE_DAY: MANAGER_UP,
    May.MENU: MANAGER_UP,
    May.BAR: MANAGER_UP,
    # A limit that its own subject can raise is none.
    May.LIMITS: OWNER,
    May.PEOPLE: OWNER,
    May.AUDIT: MANAGER_UP,
}


class RoleRefused(Forbidden):
    """Your role at this bar does not allow that. Ask a manager or the owner."""

    code = "role_refused"
    what: May | None = None


def may(role: str, what: May) -> bool:
    """Whether a role at a bar allows it."""
    return role in ALLOWED[what]


def require(role: str, what: May) -> None:
    """Raises `RoleRefused` where the role does not allow it."""
    if not may(role, what):
        refused = RoleRefused(f"As a {role} you may not {what}. Ask a manager or the owner.")
        refused.what = what
        raise refused
