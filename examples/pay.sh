#!/usr/bin/env bash
# A payment by curl: start it, ask until it has ended, then list the bar's payments.
# Wants KAUNTA_URL, KAUNTA_TAB, KAUNTA_PHONE, KAUNTA_KEY; the amount in shillings is the argument.
set -eu

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# The key makes it safe to send this again when the line breaks: the same key is the same payment.
started=$(curl -sS -f -X POST "$KAUNTA_URL/api/payments/mpesa/initiate" \
    -H 'Content-Type: application/json' -H "Idempotency-Key: pay-$$-$1" \
    -d "{\"tabId\": \"$KAUNTA_TAB\", \"phoneNumber\": \"$KAUNTA_PHONE\", \"amount\": $1}")
payment=$(printf '%s' "$started" | field transactionId)

while :; do
    status=$(curl -sS -f "$KAUNTA_URL/api/payments/mpesa/status/$payment" | field status)
    case $status in
        pending | sent) sleep 1 ;;
        # `timeout` is "nobody knows yet": it may still become completed. Never treat it as failed.
        *) break ;;
    esac
done
echo "$payment $status"

curl -sS -f "$KAUNTA_URL/api/payments/mpesa/transactions?limit=5" -H "Authorization: Bearer $KAUNTA_KEY"
echo
