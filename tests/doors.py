"""Every door that a bar's staff may use, and how somebody from elsewhere would try it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

#: Open to anyone, or to whoever holds the unguessable reference in the address.
OPEN = (
    "/b/", "/pay/", "/p/", "/r/", "/cb/", "/c2b/", "/result/", "/healthz", "/readyz", "/metrics", "/openapi.json",
    "/static",
    "/api/bars/{bar_id}/payment-methods", "/api/payments/mpesa/initiate", "/api/payments/mpesa/status/",
    "/api/payments/mpesa/retry/", "/api/payments/mpesa/callback", "/staff/login", "/staff/invitations/",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Try:
    """One door tried with another bar's things.

    `{bar}`, `{tab}`, `{table}`, `{item}`, `{order}`, `{payment}`, `{reference}`, `{view}`, `{waiter}`, `{receipt}` (and
    `{receipt_id}`), `{refund}`, `{problem}`, `{block}` and `{statement}` stand for them. `form`, `json`: what is sent.
    `own`: it names nothing, and shows one's own bar.
    """

    door: str
    path: str
    form: dict[str, str] = field(default_factory=dict)
    json: dict[str, str | bool] = field(default_factory=dict)
    own: bool = False

    @property
    def method(self) -> str:
        return self.door.split()[0]


SETTINGS: dict[str, str | bool] = {"barId": "{bar}", "mpesa_enabled": False, "mpesa_environment": "sandbox"}
INITIATOR: dict[str, str | bool] = {
    "barId": "{bar}",
    "mpesa_environment": "sandbox",
    "mpesa_initiator_name": "",
    "password": "",
}

#: M-Pesa's settings at the counter name nothing: they are those of the bar one sits at.
MPESA = "/staff/settings/mpesa"
TILL = {"environment": "sandbox", "unheard": "Completed"}
MPESA_SETTINGS = (
    Try(f"GET {MPESA}", MPESA, own=True),
    Try(f"POST {MPESA}/switch", f"{MPESA}/switch", {"mpesa": "off"}, own=True),
    Try(f"POST {MPESA}/repair", f"{MPESA}/repair", own=True),
    Try(f"GET {MPESA}/credentials/{{environment}}", f"{MPESA}/credentials/sandbox", own=True),
    Try(f"POST {MPESA}/credentials/{{environment}}", f"{MPESA}/credentials/sandbox", {"passkey": "mine"}, own=True),
    Try(f"POST {MPESA}/initiator/{{environment}}", f"{MPESA}/initiator/sandbox", {"initiator_name": "me"}, own=True),
    Try(f"POST {MPESA}/initiator/{{environment}}/forget", f"{MPESA}/initiator/sandbox/forget", own=True),
    Try(f"GET {MPESA}/connection", f"{MPESA}/connection", own=True),
    Try(f"POST {MPESA}/connection", f"{MPESA}/connection", {"environment": "sandbox"}, own=True),
    Try(f"GET {MPESA}/payment", f"{MPESA}/payment", own=True),
    Try(f"POST {MPESA}/payment", f"{MPESA}/payment", {"environment": "sandbox", "outcome": "paid"}, own=True),
    Try(f"GET {MPESA}/till", f"{MPESA}/till", own=True),
    Try(f"POST {MPESA}/till/register", f"{MPESA}/till/register", TILL, own=True),
    Try(f"POST {MPESA}/till/rule", f"{MPESA}/till/rule", TILL | {"rule": "all"}, own=True),
    Try(f"POST {MPESA}/till/list", f"{MPESA}/till/list", TILL | {"stop": "yes"}, own=True),
    Try(f"GET {MPESA}/environment", f"{MPESA}/environment", own=True),
    Try(f"POST {MPESA}/environment", f"{MPESA}/environment", {"to": "production", "reason": "mine"}, own=True),
    Try(f"GET {MPESA}/readiness", f"{MPESA}/readiness", own=True),
    Try(f"POST {MPESA}/readiness/{{item}}", f"{MPESA}/readiness/privacy", {"note": "mine", "stands": "yes"}, own=True),
)

TRIES = (
    Try("GET /staff", "/staff", own=True),
    Try("GET /staff/board", "/staff/board", own=True),
    Try("POST /staff/attention/{problem_id}", "/staff/attention/{problem}", {"why": "mine, all mine"}),
    Try("GET /staff/events", "/staff/events", own=True),
    Try("POST /staff/logout", "/staff/logout", own=True),
    Try("POST /staff/tabs", "/staff/tabs", {"table_id": "{table}"}, own=True),
    Try("GET /staff/second-factor", "/staff/second-factor", own=True),
    Try("POST /staff/second-factor", "/staff/second-factor", own=True),
    Try("GET /staff/prove", "/staff/prove", own=True),
    Try("POST /staff/prove", "/staff/prove", own=True),
    Try("GET /staff/me", "/staff/me", own=True),
    Try("POST /staff/me/password", "/staff/me/password", {"password": "another horse battery"}, own=True),
    Try("POST /staff/me/sign-out-elsewhere", "/staff/me/sign-out-elsewhere", own=True),
    Try("GET /staff/me/second-factor", "/staff/me/second-factor", own=True),
    Try("POST /staff/me/second-factor", "/staff/me/second-factor", own=True),
    Try("POST /staff/me/second-factor/confirm", "/staff/me/second-factor/confirm", own=True),
    Try("POST /staff/me/second-factor/remove", "/staff/me/second-factor/remove", own=True),
    Try("POST /staff/me/recovery-codes", "/staff/me/recovery-codes", own=True),
    Try("GET /staff/people", "/staff/people", own=True),
    Try("POST /staff/people/invitations", "/staff/people/invitations", {"name": "Otieno", "role": "waiter"}, own=True),
    Try("POST /staff/people/invitations/withdraw", "/staff/people/invitations/withdraw", own=True),
    Try("POST /staff/people/{account_id}/role", "/staff/people/{waiter}/role", {"role": "owner"}),
    Try("POST /staff/people/{account_id}/remove", "/staff/people/{waiter}/remove"),
    Try("GET /staff/tables", "/staff/tables", own=True),
    Try("POST /staff/tables", "/staff/tables", {"label": "Table 9"}, own=True),
    Try("GET /staff/tables/cards", "/staff/tables/cards", own=True),
    Try("POST /staff/tables/{table_id}/card", "/staff/tables/{table}/card"),
    Try("GET /staff/settings", "/staff/settings", own=True),
    Try("GET /staff/settings/diagnosis", "/staff/settings/diagnosis", own=True),
    Try("GET /staff/settings/menu", "/staff/settings/menu", own=True),
    Try("GET /staff/settings/menu.csv", "/staff/settings/menu.csv", own=True),
    Try("POST /staff/settings/menu", "/staff/settings/menu", {"category": "Beer", "name": "A", "price": "1"}, own=True),
    Try("POST /staff/settings/menu/import", "/staff/settings/menu/import", own=True),
    Try(
        "POST /staff/settings/menu/categories",
        "/staff/settings/menu/categories",
        {"category": "Beer", "do": "rename", "name": "Bia"},
        own=True,
    ),
    Try("GET /staff/settings/menu/{item_id}", "/staff/settings/menu/{item}"),
    Try(
        "POST /staff/settings/menu/{item_id}",
        "/staff/settings/menu/{item}",
        {"category": "Beer", "name": "Free", "price": "1"},
    ),
    Try("POST /staff/settings/menu/{item_id}/available", "/staff/settings/menu/{item}/available", {"available": "no"}),
    Try("POST /staff/settings/menu/{item_id}/retire", "/staff/settings/menu/{item}/retire"),
    Try("GET /staff/settings/tables", "/staff/settings/tables", own=True),
    Try("POST /staff/settings/tables", "/staff/settings/tables", {"label": "Table 9"}, own=True),
    Try("POST /staff/settings/tables/{table_id}", "/staff/settings/tables/{table}", {"label": "Mine"}),
    Try("POST /staff/settings/tables/{table_id}/retire", "/staff/settings/tables/{table}/retire"),
    Try("GET /staff/settings/bar", "/staff/settings/bar", own=True),
    Try("POST /staff/settings/bar", "/staff/settings/bar", {"name": "Mine"}, own=True),
    Try(
        "POST /staff/settings/bar/limits",
        "/staff/settings/bar/limits",
        {"resolve": "1", "resolve_alone": "1", "refund": "1", "most": ""},
        own=True,
    ),
    Try("POST /staff/bar", "/staff/bar", {"bar_id": "{bar}"}),
    Try("POST /staff/orders/{order_id}", "/staff/orders/{order}", {"decision": "confirm"}),
    Try("GET /staff/tabs/{tab_id}", "/staff/tabs/{tab}"),
    Try("POST /staff/tabs/{tab_id}/items", "/staff/tabs/{tab}/items", {"key": "k"}),
    Try(
        "POST /staff/tabs/{tab_id}/payments",
        "/staff/tabs/{tab}/payments",
        {"amount": "1", "method": "cash", "key": "k"},
    ),
    Try("POST /staff/tabs/{tab_id}/close", "/staff/tabs/{tab}/close"),
    Try(
        "POST /staff/tabs/{tab_id}/push",
        "/staff/tabs/{tab}/push",
        {"amount": "1", "phone": "0708374149", "key": "k"},
    ),
    Try("GET /staff/payments", "/staff/payments", own=True),
    Try("GET /staff/payments.csv", "/staff/payments.csv", own=True),
    Try("POST /staff/payments/views", "/staff/payments/views", {"name": "A", "query": "status=failed"}, own=True),
    Try("POST /staff/payments/views/{view_id}/delete", "/staff/payments/views/{view}/delete"),
    Try("GET /staff/payments/{name}", "/staff/payments/{payment}"),
    Try("GET /staff/payments/{name}", "/staff/payments/{reference}"),
    Try("POST /staff/payments/{name}/check", "/staff/payments/{reference}/check"),
    Try("POST /staff/payments/{name}/push", "/staff/payments/{payment}/push", {"key": "k"}),
    Try(
        "POST /staff/payments/{name}/resolve",
        "/staff/payments/{payment}/resolve",
        {"ended": "not_paid", "reason": "because", "evidence": "nothing"},
    ),
    Try("POST /staff/payments/{name}/note", "/staff/payments/{payment}/note", {"note": "hello"}),
    Try("GET /staff/shift", "/staff/shift", own=True),
    Try("GET /staff/shift.csv", "/staff/shift.csv", own=True),
    Try("GET /staff/health", "/staff/health", own=True),
    Try("GET /staff/alerts", "/staff/alerts", own=True),
    Try("GET /staff/blocks", "/staff/blocks", own=True),
    Try("POST /staff/blocks", "/staff/blocks", {"target": "0" * 32, "hours": "1", "reason": "mine"}, own=True),
    Try("POST /staff/blocks/{block_id}/lift", "/staff/blocks/{block}/lift", {"reason": "mine, all mine"}),
    Try("GET /staff/help", "/staff/help", own=True),
    Try("GET /staff/help/sheet", "/staff/help/sheet", own=True),
    Try("GET /staff/help/{kind}", "/staff/help/unknown_payment", own=True),
    Try("POST /staff/alerts/{alert_id}/acknowledge", "/staff/alerts/{problem}/acknowledge"),
    Try("GET /staff/audit", "/staff/audit?payment={reference}"),
    Try("GET /staff/audit.csv", "/staff/audit.csv?payment={payment}"),
    Try("GET /staff/audit.ndjson", "/staff/audit.ndjson?payment={payment}"),
    Try("POST /staff/payments/{name}/bundle", "/staff/payments/{payment}/bundle"),
    Try("POST /staff/payments/{name}/phone", "/staff/payments/{reference}/phone"),
    Try("GET /staff/payments/{name}/resolve", "/staff/payments/{reference}/resolve"),
    Try("POST /staff/payments/{name}/resolve/check", "/staff/payments/{payment}/resolve/check"),
    Try(
        "POST /staff/payments/{name}/resolve/code", "/staff/payments/{payment}/resolve/code", {"receipt": "SKK1A2B3C9"}
    ),
    Try("POST /staff/payments/{name}/resolve/approve", "/staff/payments/{payment}/resolve/approve"),
    Try(
        "POST /staff/payments/{name}/resolve/decline", "/staff/payments/{payment}/resolve/decline", {"reason": "no no"}
    ),
    Try("GET /staff/receipts", "/staff/receipts", own=True),
    Try("POST /staff/receipts/check", "/staff/receipts/check", {"code": "{receipt}"}, own=True),
    Try("GET /staff/receipts/{name}", "/staff/receipts/{receipt}"),
    Try("GET /staff/receipts/{name}", "/staff/receipts/{receipt_id}"),
    Try(
        "POST /staff/receipts/{name}/match",
        "/staff/receipts/{receipt_id}/match",
        {"tab_id": "{tab}", "reason": "mine"},
    ),
    Try("POST /staff/receipts/{name}/aside", "/staff/receipts/{receipt_id}/aside", {"reason": "mine"}),
    Try("POST /staff/receipts/{name}/take-back", "/staff/receipts/{receipt_id}/take-back", {"reason": "mine"}),
    Try("GET /staff/receipts/{name}/refund", "/staff/receipts/{receipt_id}/refund"),
    Try(
        "POST /staff/receipts/{name}/refund",
        "/staff/receipts/{receipt_id}/refund",
        {"amount": "1", "method": "by_hand", "code": "SKK9Z8Y7X6", "reason": "mine", "key": "12345678"},
    ),
    Try("GET /staff/payments/{name}/refund", "/staff/payments/{reference}/refund"),
    Try(
        "POST /staff/payments/{name}/refund",
        "/staff/payments/{payment}/refund",
        {"amount": "1", "code": "SKK9Z8Y7X6", "reason": "mine", "key": "12345678"},
    ),
    Try("GET /staff/refunds", "/staff/refunds", own=True),
    Try("GET /staff/refunds/{refund_id}", "/staff/refunds/{refund}"),
    Try("POST /staff/refunds/{refund_id}/approve", "/staff/refunds/{refund}/approve"),
    Try("POST /staff/refunds/{refund_id}/withdraw", "/staff/refunds/{refund}/withdraw"),
    Try(
        "POST /staff/refunds/{refund_id}/settle",
        "/staff/refunds/{refund}/settle",
        {"ended": "failed", "reason": "mine"},
    ),
    Try("GET /staff/statements", "/staff/statements", own=True),
    Try("POST /staff/statements", "/staff/statements", own=True),
    Try("GET /staff/statements/{import_id}", "/staff/statements/{statement}"),
    Try("POST /staff/statements/{import_id}/import", "/staff/statements/{statement}/import"),
    Try("POST /staff/statements/{import_id}/discard", "/staff/statements/{statement}/discard"),
    Try("GET /staff/statements/{import_id}/table.csv", "/staff/statements/{statement}/table.csv"),
    Try("GET /staff/day", "/staff/day", own=True),
    Try("GET /staff/day.csv", "/staff/day.csv", own=True),
    Try("POST /staff/day/balance", "/staff/day/balance", own=True),
    *MPESA_SETTINGS,
    # Of the whole installation, for its administrators: they name no bar.
    Try("GET /api/diagnostics/mpesa", "/api/diagnostics/mpesa", own=True),
    Try("GET /api/diagnostics/fingerprints", "/api/diagnostics/fingerprints", own=True),
    Try("GET /api/payments/mpesa/transactions", "/api/payments/mpesa/transactions?barId={bar}"),
    Try("GET /staff/settings/webhooks", "/staff/settings/webhooks", own=True),
    Try("POST /staff/settings/webhooks", "/staff/settings/webhooks", {"url": "https://10.0.0.7/"}, own=True),
    Try("POST /staff/settings/webhooks/{webhook_id}/test", "/staff/settings/webhooks/{payment}/test"),
    Try("POST /staff/settings/webhooks/{webhook_id}/redeliver", "/staff/settings/webhooks/{payment}/redeliver"),
    Try("POST /staff/settings/webhooks/{webhook_id}/remove", "/staff/settings/webhooks/{payment}/remove"),
    Try("GET /api/webhooks/messages", "/api/webhooks/messages?barId={bar}"),
    Try("POST /api/webhooks/messages/{message_id}/redeliver", "/api/webhooks/messages/{payment}/redeliver"),
    Try("GET /api/mpesa-settings", "/api/mpesa-settings?barId={bar}"),
    Try("POST /api/mpesa-settings", "/api/mpesa-settings", json=SETTINGS),
    Try("GET /api/mpesa-settings/direct", "/api/mpesa-settings/direct?barId={bar}"),
    Try("POST /api/mpesa-settings/c2b", "/api/mpesa-settings/c2b", json=SETTINGS),
    Try("POST /api/mpesa-settings/initiator", "/api/mpesa-settings/initiator", json=INITIATOR),
    Try("POST /api/mpesa-settings/pull", "/api/mpesa-settings/pull", json=SETTINGS),
    Try("POST /api/mpesa-settings/test", "/api/mpesa-settings/test", json=SETTINGS),
    Try(
        "POST /api/mpesa-settings/test-payment",
        "/api/mpesa-settings/test-payment",
        json={"barId": "{bar}", "mpesa_environment": "sandbox", "phoneNumber": "254708374149"},
    ),
)


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """Every route, those of included routers too."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif included := getattr(route, "original_router", None):
            yield from routes_of(included.routes)


def doors(app: FastAPI) -> set[str]:
    """`GET /healthz` and so on: everything that answers."""
    return {
        f"{method} {route.path}" for route in routes_of(app.routes) for method in (route.methods or set()) - {"HEAD"}
    }
