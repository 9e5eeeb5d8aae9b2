"""Who may call which door: the one table. A route that is not in it fails tests/test_every_door.py, which also tries
each entry; docs/reference/callers.md is written from it."""

from enum import StrEnum

from kaunta.access.roles import ALLOWED, May


class Open(StrEnum):
    """Doors that ask for no session, and why they may."""

    ANYONE = "anyone"
    GUEST = "whoever holds the reference in the address, which cannot be guessed"
    SAFARICOM = "Safaricom, by the secret in the address; without it nothing is believed"


class Keyed(StrEnum):
    """Doors that ask who somebody is, and not for a role at a bar."""

    SIGNED_IN = "whoever has entered their password, about themselves"
    MEMBER = "whoever works at the bar, and its machines by a key with `payments:read`"
    ADMINISTRATOR = "an administrator of the installation, and machines by a key with `diagnostics`"


Caller = Open | Keyed | May

TABLE: dict[Caller, str] = {
    Open.ANYONE: """
        GET /healthz
        GET /metrics
        GET /openapi.json
        GET /readyz
        GET /static/board.js
        GET /static/live.js
        GET /static/staff.css
        GET /api/bars/{bar_id}/payment-methods
        GET /api/bars/{bar_id}/payment-methods/events
        GET /b/{slug}
        GET /b/{slug}/events
        GET /staff/login
        POST /staff/login
    """,
    Open.GUEST: """
        GET /b/{slug}/t/{code}
        GET /b/{slug}/t/{code}/events
        POST /b/{slug}/t/{code}/join
        POST /b/{slug}/t/{code}/order
        GET /pay/{ref}
        POST /pay/{ref}
        GET /pay/{ref}/events
        GET /pay/{ref}/join
        POST /pay/{ref}/join
        POST /pay/{ref}/split
        GET /pay/{ref}/till
        POST /pay/{ref}/till
        GET /pay/{ref}/till/events
        GET /p/{payment_id}
        GET /p/{payment_id}/events
        POST /p/{payment_id}/retry
        GET /r/{receipt_ref}
        POST /api/payments/mpesa/initiate
        POST /api/payments/mpesa/retry/{payment_id}
        GET /api/payments/mpesa/status/{payment_id}
        GET /staff/invitations/{token}
        POST /staff/invitations/{token}
    """,
    Open.SAFARICOM: """
        POST /cb/{token}
        POST /api/payments/mpesa/callback
        POST /api/payments/mpesa/callback/{token}
        POST /c2b/{token}/confirmation
        POST /c2b/{token}/validation
        POST /result/{token}
        POST /result/{token}/timeout
    """,
    Keyed.SIGNED_IN: """
        POST /staff/bar
        POST /staff/logout
        GET /staff/me
        POST /staff/me/password
        POST /staff/me/recovery-codes
        GET /staff/me/second-factor
        POST /staff/me/second-factor
        POST /staff/me/second-factor/confirm
        POST /staff/me/second-factor/remove
        POST /staff/me/sign-out-elsewhere
        GET /staff/prove
        POST /staff/prove
        GET /staff/second-factor
        POST /staff/second-factor
    """,
    Keyed.MEMBER: """
        GET /api/payments/mpesa/transactions
        GET /api/webhooks/messages
    """,
    Keyed.ADMINISTRATOR: """
        GET /api/diagnostics/fingerprints
        GET /api/diagnostics/mpesa
    """,
    May.SERVE: """
        GET /staff
        GET /staff/alerts
        POST /staff/alerts/{alert_id}/acknowledge
        GET /staff/board
        GET /staff/events
        GET /staff/health
        GET /staff/help
        GET /staff/help/sheet
        GET /staff/help/{kind}
        POST /staff/orders/{order_id}
        GET /staff/payments
        POST /staff/payments/views
        POST /staff/payments/views/{view_id}/delete
        GET /staff/payments/{name}
        POST /staff/payments/{name}/bundle
        POST /staff/payments/{name}/check
        POST /staff/payments/{name}/note
        POST /staff/payments/{name}/push
        GET /staff/receipts
        POST /staff/receipts/check
        GET /staff/receipts/{name}
        GET /staff/shift
        POST /staff/tabs
        GET /staff/tabs/{tab_id}
        POST /staff/tabs/{tab_id}/close
        POST /staff/tabs/{tab_id}/items
        POST /staff/tabs/{tab_id}/payments
        POST /staff/tabs/{tab_id}/push
    """,
    May.MATCH: """
        POST /staff/receipts/{name}/aside
        POST /staff/receipts/{name}/match
        POST /staff/receipts/{name}/take-back
    """,
    May.BLOCK: """
        GET /staff/blocks
        POST /staff/blocks
        POST /staff/blocks/{block_id}/lift
    """,
    May.RESOLVE: """
        POST /staff/attention/{problem_id}
        GET /staff/payments/{name}/resolve
        POST /staff/payments/{name}/resolve
        POST /staff/payments/{name}/resolve/check
        POST /staff/payments/{name}/resolve/code
        POST /staff/payments/{name}/resolve/decline
    """,
    May.REFUND: """
        GET /staff/payments/{name}/refund
        POST /staff/payments/{name}/refund
        GET /staff/receipts/{name}/refund
        POST /staff/receipts/{name}/refund
        GET /staff/refunds
        GET /staff/refunds/{refund_id}
        POST /staff/refunds/{refund_id}/settle
        POST /staff/refunds/{refund_id}/withdraw
    """,
    May.APPROVE: """
        POST /staff/payments/{name}/resolve/approve
        POST /staff/refunds/{refund_id}/approve
    """,
    May.SWITCH: """
        GET /api/mpesa-settings
        POST /api/mpesa-settings
        GET /staff/settings/mpesa
        GET /staff/settings/mpesa/readiness
        POST /staff/settings/mpesa/repair
        POST /staff/settings/mpesa/switch
    """,
    May.CREDENTIALS: """
        GET /staff/settings/webhooks
        POST /staff/settings/webhooks
        POST /staff/settings/webhooks/{webhook_id}/redeliver
        POST /staff/settings/webhooks/{webhook_id}/remove
        POST /staff/settings/webhooks/{webhook_id}/test
        POST /api/webhooks/messages/{message_id}/redeliver
        POST /api/mpesa-settings/c2b
        GET /api/mpesa-settings/direct
        POST /api/mpesa-settings/initiator
        POST /api/mpesa-settings/pull
        POST /api/mpesa-settings/test
        POST /api/mpesa-settings/test-payment
        GET /staff/settings/diagnosis
        GET /staff/settings/mpesa/connection
        POST /staff/settings/mpesa/connection
        GET /staff/settings/mpesa/credentials/{environment}
        POST /staff/settings/mpesa/credentials/{environment}
        GET /staff/settings/mpesa/environment
        POST /staff/settings/mpesa/environment
        POST /staff/settings/mpesa/initiator/{environment}
        POST /staff/settings/mpesa/initiator/{environment}/forget
        GET /staff/settings/mpesa/payment
        POST /staff/settings/mpesa/payment
        POST /staff/settings/mpesa/readiness/{item}
        GET /staff/settings/mpesa/till
        POST /staff/settings/mpesa/till/list
        POST /staff/settings/mpesa/till/register
        POST /staff/settings/mpesa/till/rule
    """,
    May.EXPORT: """
        GET /staff/payments.csv
        POST /staff/payments/{name}/phone
        GET /staff/shift.csv
    """,
    May.CLOSE_DAY: """
        GET /staff/day
        GET /staff/day.csv
        POST /staff/day/balance
        GET /staff/statements
        POST /staff/statements
        GET /staff/statements/{import_id}
        POST /staff/statements/{import_id}/discard
        POST /staff/statements/{import_id}/import
        GET /staff/statements/{import_id}/table.csv
    """,
    May.MENU: """
        GET /staff/settings/menu
        POST /staff/settings/menu
        GET /staff/settings/menu.csv
        POST /staff/settings/menu/categories
        POST /staff/settings/menu/import
        GET /staff/settings/menu/{item_id}
        POST /staff/settings/menu/{item_id}
        POST /staff/settings/menu/{item_id}/available
        POST /staff/settings/menu/{item_id}/retire
        GET /staff/settings/tables
        POST /staff/settings/tables
        POST /staff/settings/tables/{table_id}
        POST /staff/settings/tables/{table_id}/retire
        GET /staff/tables
        POST /staff/tables
        GET /staff/tables/cards
        POST /staff/tables/{table_id}/card
    """,
    May.BAR: """
        GET /staff/settings
        GET /staff/settings/bar
        POST /staff/settings/bar
    """,
    May.LIMITS: """
        POST /staff/settings/bar/limits
    """,
    May.PEOPLE: """
        GET /staff/people
        POST /staff/people/invitations
        POST /staff/people/invitations/withdraw
        POST /staff/people/{account_id}/remove
        POST /staff/people/{account_id}/role
    """,
    May.AUDIT: """
        GET /staff/audit
        GET /staff/audit.csv
        GET /staff/audit.ndjson
    """,
}

CALLERS: dict[str, Caller] = {
    line.strip(): caller for caller, lines in TABLE.items() for line in lines.strip().splitlines()
}


def in_words(caller: Caller) -> str:
    """Who that is, for the page."""
    if not isinstance(caller, May):
        return caller.value
    roles = [role for role in ("waiter", "cashier", "manager", "owner") if role in ALLOWED[caller]]
    return "anybody who works at the bar" if len(roles) == 4 else " or ".join(roles) + " of the bar"
