"""What can be wrong with an order or a tab."""

from kaunta.core.errors import BadRequest, Conflict, KauntaError, NotFound


class TabNotFound(NotFound):
    """This tab does not exist."""

    code = "tab_not_found"


class TabClosed(Conflict):
    """This tab is closed. Ask staff to open a new one."""

    code = "tab_closed"


class TabNotSettled(Conflict):
    """This tab cannot be closed yet: something is still owed, ordered or being paid."""

    code = "tab_not_settled"


class OrderRefused(BadRequest):
    """This order cannot be taken."""

    code = "order_refused"


class OrderNotFound(NotFound):
    """This order does not exist."""

    code = "order_not_found"


class OrderDecided(Conflict):
    """Somebody has decided on this order already."""

    code = "order_decided"


class AmountRefused(BadRequest):
    """The amount does not fit what is owed."""

    status = 422
    code = "amount_refused"


class JoinRefused(BadRequest):
    """No open tab at this table has this code."""

    status = 422
    code = "join_refused"


class JoinNeedsMore(BadRequest):
    """Four digits are not enough at this table now: type the eight that the first phone shows."""

    status = 422
    code = "join_needs_more"


class JoinTooOften(KauntaError):
    """Too many wrong codes from this phone. Wait a little, or ask staff."""

    status = 429
    code = "join_too_often"


class SplitRefused(BadRequest):
    """A tab is shared between 2 and 30 people, and each pays at least one shilling."""

    status = 422
    code = "split_refused"


class TableNotFound(NotFound):
    """This table does not exist."""

    code = "table_not_found"


class TableLabelRefused(BadRequest):
    """Give the table a short name of letters and digits, like Table 7."""

    code = "table_label_refused"


class TableInUse(Conflict):
    """Somebody has an open tab at this table. Close the tab first."""

    code = "table_in_use"


class MenuRefused(BadRequest):
    """This cannot stand on the menu."""

    status = 422
    code = "menu_refused"


class ItemNotFound(NotFound):
    """This is not on the menu."""

    code = "item_not_found"
