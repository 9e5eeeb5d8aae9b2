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
    """One door tried with another bar's things; `{bar}`, `{tab}`, `{table}`, `{order}`, `{payment}`, `{reference}`,
    `{waiter}`, `{receipt}` (and `{receipt_id}`), `{refund}` and `{statement}` stand for them. `form` and `json` are
    what is sent. `own`: it names nothing, and shows one's own bar."""

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

TRIES = (
    Try("GET /staff", "/staff", own=True),
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
    Try("GET /staff/payments", "/staff/payments", own=True),
    Try("GET /staff/payments.csv", "/staff/payments.csv", own=True),
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
    Try("GET /api/payments/mpesa/transactions", "/api/payments/mpesa/transactions?barId={bar}"),
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
