"""A callback, a payment's state, and a payment being started, as a Django project has them."""

import hashlib
import json
import os
import secrets
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from django_daraja.mpesa import core, utils
from django_daraja.mpesa.core import MpesaClient

from bench.peers.django_bar.models import Callback, Credential, LedgerRow, Payment, PaymentEvent, Tab

if "BENCH_SAFARICOM" in os.environ:
    # The package knows Safaricom's own hosts only.
    core.api_base_url = utils.api_base_url = lambda: os.environ["BENCH_SAFARICOM"] + "/"


@csrf_exempt
@require_POST
def callback(request: HttpRequest, token: str) -> JsonResponse:
    """Store, credit, then answer: one transaction."""
    said = MpesaClient().parse_stk_result(request.body)
    now = timezone.now()
    hashed = hashlib.sha256(token.encode()).digest()
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(callback_token_hash=hashed)
        kept = Callback(
            received_at=now, channel="stk", token_hash=hashed, body_enc=request.body, processed_at=now,
            verdict="applied", transaction_id=payment.id, next_attempt_at=now,
        )  # fmt: skip
        kept.save(force_insert=True)
        if payment.status == "sent":
            before = payment.status
            payment.result_code, payment.result_desc = str(said["ResultCode"]), said["ResultDesc"]
            payment.updated_at = payment.settled_at = now
            if said["ResultCode"] == 0:
                payment.status, payment.receipt = "completed", said["MpesaReceiptNumber"]
                payment.amount_received = int(said["Amount"])
                payment.transaction_date = datetime.strptime(str(said["TransactionDate"]), "%Y%m%d%H%M%S").replace(
                    tzinfo=UTC
                )
                LedgerRow.objects.create(
                    bar_id=payment.bar_id, tab_id=payment.tab_id, kind="payment", method="mpesa",
                    amount=payment.amount_received, environment=payment.environment, transaction=payment,
                    receipt=payment.receipt, recorded_by="safaricom", created_at=now,
                )  # fmt: skip
            else:
                payment.status = "failed"
            payment.save(
                update_fields=[
                    "status", "receipt", "amount_received", "transaction_date", "result_code", "result_desc",
                    "settled_at", "updated_at",
                ]
            )  # fmt: skip
            PaymentEvent.objects.create(
                at=now, bar_id=payment.bar_id, transaction_id=payment.id, kind="changed", from_status=before,
                to_status=payment.status, actor="safaricom",
            )  # fmt: skip
    return JsonResponse({"ResultCode": 0, "ResultDesc": "Accepted"})


@require_GET
def status(request: HttpRequest, payment_id: str) -> JsonResponse:
    """Where a payment stands."""
    payment = Payment.objects.select_related("tab", "bar").get(id=payment_id)
    return JsonResponse(
        {
            "transactionId": str(payment.id),
            "status": payment.status,
            "irregularity": None,
            "irregularities": [],
            "amount": payment.amount,
            "amountReceived": payment.amount_received,
            "phoneNumber": "2547•••149",
            "mpesaReceiptNumber": payment.receipt,
            "transactionDate": payment.transaction_date,
            "failureReason": None,
            "customerMessage": "Check your phone and enter your M-Pesa PIN.",
            "retryable": payment.status in ("failed", "cancelled", "timeout"),
            "retryAfter": 0,
            "createdAt": payment.created_at,
            "updatedAt": payment.updated_at,
        }
    )


@csrf_exempt
@require_POST
def initiate(request: HttpRequest) -> JsonResponse:
    """Check the tab, write the payment, ask Safaricom, write what it said."""
    wanted = json.loads(request.body)
    now, token = timezone.now(), secrets.token_hex(32)
    with transaction.atomic():
        tab = Tab.objects.select_for_update().get(ref=wanted["tabId"])
        owed = tab.orders.filter(status="confirmed").aggregate(sum=Sum("total"))["sum"] or 0
        paid = tab.payments.aggregate(sum=Sum("amount"))["sum"] or 0
        if not 0 < wanted["amount"] <= owed - paid:
            return JsonResponse({"success": False}, status=422)
        credential = Credential.objects.get(tenant_id=tab.bar_id, environment="production")
        payment = Payment.objects.create(
            bar_id=tab.bar_id, tab=tab, credential=credential, environment="production", business_shortcode="600000",
            reference=f"D{secrets.token_hex(4)}", receipt_ref=secrets.token_urlsafe(16), amount=wanted["amount"],
            phone_enc=wanted["phoneNumber"].encode(), phone_hash=hashlib.sha256(token.encode()).digest(),
            callback_token_hash=hashlib.sha256(token.encode()).digest(), status="pending", started_by="guest",
            push_started_at=now, created_at=now, updated_at=now,
        )  # fmt: skip
    answer = MpesaClient().stk_push(
        wanted["phoneNumber"], wanted["amount"], payment.reference, "Bar tab", f"https://bench.example/cb/{token}"
    )
    payment.status, payment.sent_at, payment.updated_at = "sent", timezone.now(), timezone.now()
    payment.merchant_request_id = answer.merchant_request_id
    payment.checkout_request_id_enc = answer.checkout_request_id.encode()
    payment.checkout_request_id_hash = hashlib.sha256(answer.checkout_request_id.encode()).digest()
    payment.save()
    return JsonResponse(
        {
            "success": True,
            "transactionId": str(payment.id),
            "checkoutRequestId": answer.checkout_request_id,
            "status": payment.status,
            "customerMessage": "Check your phone and enter your M-Pesa PIN.",
        },
        status=202,
    )
