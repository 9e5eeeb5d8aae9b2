"""What can be wrong with an order or a tab."""

from kaunta.core.errors import BadRequest, Conflict, NotFound


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
