"""Kaunta's tables as Django models: the columns these jobs use."""

import uuid

from django.db import models


class Bar(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.TextField()

    class Meta:
        managed = False
        db_table = "bars"


class Tab(models.Model):
    id = models.UUIDField(primary_key=True)
    bar = models.ForeignKey(Bar, models.DO_NOTHING)
    ref = models.TextField(unique=True)
    status = models.TextField()

    class Meta:
        managed = False
        db_table = "tabs"


class Order(models.Model):
    id = models.UUIDField(primary_key=True)
    tab = models.ForeignKey(Tab, models.DO_NOTHING, related_name="orders")
    total = models.IntegerField()
    status = models.TextField()

    class Meta:
        managed = False
        db_table = "tab_orders"


class Credential(models.Model):
    id = models.UUIDField(primary_key=True)
    tenant = models.ForeignKey(Bar, models.DO_NOTHING)
    environment = models.TextField()

    class Meta:
        managed = False
        db_table = "mpesa_credentials"


class Payment(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    bar = models.ForeignKey(Bar, models.DO_NOTHING)
    tab = models.ForeignKey(Tab, models.DO_NOTHING, related_name="attempts")
    credential = models.ForeignKey(Credential, models.DO_NOTHING)
    credential_version = models.IntegerField(default=1)
    environment = models.TextField()
    business_shortcode = models.TextField()
    reference = models.TextField()
    receipt_ref = models.TextField()
    amount = models.IntegerField()
    amount_received = models.IntegerField(null=True)
    phone_enc = models.BinaryField()
    phone_hash = models.BinaryField()
    callback_token_hash = models.BinaryField(unique=True)
    status = models.TextField()
    started_by = models.TextField()
    receipt = models.TextField(null=True)
    result_code = models.TextField(null=True)
    result_desc = models.TextField(null=True)
    merchant_request_id = models.TextField(null=True)
    checkout_request_id_enc = models.BinaryField(null=True)
    checkout_request_id_hash = models.BinaryField(null=True)
    transaction_date = models.DateTimeField(null=True)
    push_started_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "mpesa_transactions"


class LedgerRow(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    bar = models.ForeignKey(Bar, models.DO_NOTHING)
    tab = models.ForeignKey(Tab, models.DO_NOTHING, related_name="payments")
    kind = models.TextField()
    method = models.TextField()
    amount = models.IntegerField()
    environment = models.TextField()
    transaction = models.ForeignKey(Payment, models.DO_NOTHING)
    receipt = models.TextField()
    recorded_by = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "tab_payments"


class Callback(models.Model):
    id = models.BigAutoField(primary_key=True)
    received_at = models.DateTimeField()
    channel = models.TextField()
    token_hash = models.BinaryField()
    body_enc = models.BinaryField()
    processed_at = models.DateTimeField(null=True)
    verdict = models.TextField(null=True)
    transaction_id = models.UUIDField(null=True)
    next_attempt_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "mpesa_callbacks"


class PaymentEvent(models.Model):
    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    bar = models.ForeignKey(Bar, models.DO_NOTHING)
    transaction_id = models.UUIDField()
    kind = models.TextField()
    from_status = models.TextField(null=True)
    to_status = models.TextField(null=True)
    actor = models.TextField()

    class Meta:
        managed = False
        db_table = "payment_events"
