"""A payment from Python, with the standard library only: start it, follow it, then read the bar's payments.

Wants KAUNTA_URL, KAUNTA_TAB, KAUNTA_PHONE and KAUNTA_KEY; the amount in shillings is the argument.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

URL = os.environ["KAUNTA_URL"]


def call(method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, JSON and headers of an answer. A refusal is an answer as well: problem+json with a stable `code`."""
    data = None if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(URL + path, data, {"Content-Type": "application/json", **sent}, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), lower(answer.headers.items())
    except HTTPError as refused:
        text = refused.read()
        return refused.code, json.loads(text) if text else {}, lower(refused.headers.items())


def lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def start(tab: str, phone: str, amount: int) -> str:
    """The payment's id. The key is made once and sent with every try: the same key is the same payment."""
    key = str(uuid.uuid4())
    for pause in (1, 2, 4, 8):
        try:
            status, answer, _ = call(
                "POST",
                "/api/payments/mpesa/initiate",
                {"tabId": tab, "phoneNumber": phone, "amount": amount},
                Idempotency_Key=key,
            )
        except OSError:
            time.sleep(pause)
            continue
        if status == 202:
            return str(answer["transactionId"])
        raise SystemExit(f"refused: {answer['code']}: {answer['detail']}")
    raise SystemExit("Kaunta cannot be reached")


def follow(payment: str) -> dict[str, Any]:
    """The payment once it has ended, or nobody knows: `timeout` may still become `completed`."""
    tag, answer = "", {"status": "pending"}
    while answer["status"] in ("pending", "sent"):
        status, now, headers = call("GET", f"/api/payments/mpesa/status/{payment}", If_None_Match=tag)
        if status == 200:
            tag, answer = headers["etag"], now
        time.sleep(0.5)
    return answer


def transactions(key: str) -> Iterator[dict[str, Any]]:
    """Every payment of the bar, page by page, newest first."""
    query: dict[str, str] = {"limit": "2"}
    while True:
        status, page, headers = call(
            "GET", f"/api/payments/mpesa/transactions?{urlencode(query)}", Authorization=f"Bearer {key}"
        )
        if status == 429:
            time.sleep(int(headers["retry-after"]))
            continue
        if status != 200:
            raise SystemExit(f"refused: {page['code']}: {page['detail']}")
        yield from page["transactions"]
        if page["nextCursor"] is None:
            return
        query["cursor"] = page["nextCursor"]


if __name__ == "__main__":
    ended = follow(start(os.environ["KAUNTA_TAB"], os.environ["KAUNTA_PHONE"], int(sys.argv[1])))
    print(ended["transactionId"], ended["status"], ended["mpesaReceiptNumber"])
    for each in transactions(os.environ["KAUNTA_KEY"]):
        print(each["reference"], each["status"], each["amount"], *each["irregularities"])
