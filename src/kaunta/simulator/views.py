"""What the control interface answers with: the simulator's things as JSON."""

from datetime import datetime

from kaunta.simulator.exchanges import Exchange
from kaunta.simulator.ledger import Ledger
from kaunta.simulator.merchants import Registration
from kaunta.simulator.notices import cents
from kaunta.simulator.pushes import Attempt, Message, Payment, Push
from kaunta.simulator.rules import Rule
from kaunta.simulator.subscribers import Subscriber


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def push_view(push: Push) -> dict[str, object]:
    wanted = push.wanted
    return {
        "CheckoutRequestID": push.checkout_id,
        "MerchantRequestID": push.merchant_id,
        "phone": wanted.phone,
        "amount": wanted.amount,
        "shortcode": wanted.shortcode,
        "transaction_type": wanted.transaction_type,
        "party_b": wanted.party_b,
        "reference": wanted.reference,
        "description": wanted.description,
        "callback_url": wanted.callback_url,
        "scenario": push.scenario.name,
        "ringing": push.ringing,
        "result": push.result,
        "receipt": push.receipt,
        "queries": push.queries,
        "sent_at": iso(push.sent_at),
        "decided_at": iso(push.decided_at),
        "callbacks": [message_view(message) for message in push.messages],
    }


def message_view(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "kind": message.kind,
        "about": message.checkout_id,
        "url": message.url,
        "headers": message.headers,
        "body": message.body[:10_000].decode(errors="replace"),
        "bytes": len(message.body),
        "attempts": [attempt_view(attempt) for attempt in message.attempts],
    }


def attempt_view(attempt: Attempt) -> dict[str, object]:
    return {"at": iso(attempt.at), "status": attempt.status, "problem": attempt.problem}


def payment_view(payment: Payment, ledger: Ledger) -> dict[str, object]:
    return {
        "receipt": payment.receipt,
        "amount": payment.amount,
        "phone": payment.phone,
        "shortcode": payment.shortcode,
        "payee": payment.payee,
        "reference": payment.reference,
        "at": iso(payment.at),
        "kind": payment.kind,
        "CheckoutRequestID": payment.checkout_id,
        "transaction_type": payment.transaction_type,
        "fee": cents(payment.fee_cents),
        "reverses": payment.reverses,
        "reversed_by": ledger.reversed_by(payment.receipt),
        "reversed": ledger.reversed_amount(payment.receipt),
    }


def subscriber_view(customer: Subscriber) -> dict[str, object]:
    return {
        "number": customer.number,
        "name": customer.name,
        "balance": customer.balance,
        "pin": customer.pin,
        "wrong_pins": customer.wrong_pins,
        "pin_locked": customer.pin_locked,
        "active": customer.active,
        "spent": customer.spent,
    }


def registration_view(registration: Registration) -> dict[str, object]:
    return {
        "shortcode": registration.shortcode,
        "ResponseType": registration.otherwise,
        "ConfirmationURL": registration.confirmation_url,
        "ValidationURL": registration.validation_url,
        "version": registration.version,
        "at": iso(registration.at),
    }


def exchange_view(exchange: Exchange) -> dict[str, object]:
    return {
        "number": exchange.number,
        "way": exchange.way,
        "api": exchange.api,
        "at": iso(exchange.at),
        "method": exchange.method,
        "url": exchange.url,
        "headers": dict(exchange.headers),
        "body": exchange.body.decode(errors="replace"),
        "status": exchange.status,
        "answer_headers": dict(exchange.answer_headers),
        "answer": exchange.answer.decode(errors="replace"),
        "verdict": exchange.verdict,
        "problem": exchange.problem,
        "ms": exchange.ms,
        "about": exchange.about,
    }


def rule_view(rule: Rule) -> dict[str, object]:
    return {
        "action": rule.action,
        "kind": rule.kind,
        "phone": rule.phone,
        "url_contains": rule.url_contains,
        "times": rule.times,
        "seconds": rule.seconds,
        "copies": rule.copies,
        "changes": dict(rule.changes),
        "raw": rule.raw,
    }
