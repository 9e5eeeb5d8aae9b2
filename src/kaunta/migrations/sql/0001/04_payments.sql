-- M-Pesa payments, what Safaricom said about them, and what was proven.

create type transaction_status as enum ('pending', 'sent', 'completed', 'failed', 'cancelled', 'timeout');

create table mpesa_transactions (
    id uuid primary key,
    bar_id uuid not null references bars,
    tab_id uuid not null references tabs,
    credential_id uuid not null,
    credential_version integer not null,
    environment text not null check (environment in ('sandbox', 'production')),
    business_shortcode text not null,
    -- Short and speakable: on the guest's screen, the board, and the push's AccountReference.
    reference text not null check (length(reference) <= 12),
    receipt_ref text not null unique,
    amount integer not null check (amount > 0),
    currency text not null default 'KES' check (currency = 'KES'),
    phone_enc bytea not null,
    phone_hash bytea not null,
    callback_token_hash bytea not null unique,
    status transaction_status not null default 'pending',
    -- The second axis: late, underpaid, overpaid, duplicate, contradicted, closed_tab, no_receipt …
    irregularities text[] not null default '{}',
    started_by text not null,
    retry_of uuid references mpesa_transactions,
    -- The deadline's base until sent_at exists; written before anything is sent.
    push_started_at timestamptz not null,
    sent_at timestamptz,
    settled_at timestamptz,
    merchant_request_id text,
    -- Daraja's id contains the payer's phone, so it is personal data: encrypted, found by its keyed hash.
    checkout_request_id_enc bytea,
    checkout_request_id_hash bytea unique,
    result_code text,
    result_desc text,
    failure_reason text,
    receipt text,
    transaction_date timestamptz,
    amount_received integer,
    callback_success_at timestamptz,
    query_success_at timestamptz,
    unproven_code text,
    next_check_at timestamptz,
    checks integer not null default 0,
    -- When something unproven last made us ask sooner.
    nudged_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    foreign key (credential_id, credential_version) references mpesa_credential_versions,
    unique (bar_id, reference),
    check (status <> 'sent' or (sent_at is not null and checkout_request_id_hash is not null)),
    check ((status in ('completed', 'failed', 'cancelled')) = (settled_at is not null)),
    check (status <> 'completed' or amount_received is not null),
    check (status = 'completed' or (receipt is null and amount_received is null))
);
create unique index mpesa_transactions_one_open_a_payer_and_tab on mpesa_transactions (tab_id, phone_hash)
    where status in ('pending', 'sent');
create index mpesa_transactions_of_tab on mpesa_transactions (tab_id, created_at desc);
create index mpesa_transactions_of_bar on mpesa_transactions (bar_id, created_at desc, id desc);
create index mpesa_transactions_of_payer on mpesa_transactions (phone_hash, created_at desc);
create index mpesa_transactions_due on mpesa_transactions (next_check_at) where next_check_at is not null;
create index mpesa_transactions_open on mpesa_transactions (push_started_at) where status in ('pending', 'sent');
create index mpesa_transactions_retries on mpesa_transactions (retry_of) where retry_of is not null;
create index mpesa_transactions_receiptless on mpesa_transactions (business_shortcode, amount)
    where status = 'completed' and receipt is null;
create index mpesa_transactions_by_credential on mpesa_transactions (credential_id, credential_version);
create index mpesa_transactions_nudged on mpesa_transactions (credential_id, nudged_at) where nudged_at is not null;

create table idempotency_keys (
    tab_id uuid not null references tabs,
    key text not null check (length(key) between 1 and 200),
    bar_id uuid not null references bars,
    body_hash bytea not null,
    transaction_id uuid not null references mpesa_transactions,
    created_at timestamptz not null,
    primary key (tab_id, key)
);
create index idempotency_keys_of_bar on idempotency_keys (bar_id);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- Every receipt proven on any channel, once an environment. What people type is a claim and never blocks one.
create table mpesa_receipts (
    id uuid primary key,
    environment text not null check (environment in ('sandbox', 'production')),
    receipt text not null check (receipt = upper(receipt) and length(receipt) between 1 and 64),
    bar_id uuid not null references bars,
    business_shortcode text not null,
    amount integer not null check (amount > 0),
    phone_enc bytea,
    transacted_at timestamptz,
    transaction_id uuid references mpesa_transactions,
    ledger_id uuid references tab_payments,
    first_channel text not null check (first_channel in ('stk', 'c2b', 'status', 'pull', 'statement')),
    created_at timestamptz not null,
    unique (environment, receipt)
);
create index mpesa_receipts_of_bar on mpesa_receipts (bar_id, created_at desc);
create index mpesa_receipts_of_transaction on mpesa_receipts (transaction_id);

create table mpesa_receipt_sightings (
    id bigint generated always as identity primary key,
    receipt_id uuid not null references mpesa_receipts,
    bar_id uuid not null references bars,
    channel text not null check (channel in ('stk', 'c2b', 'status', 'pull', 'statement')),
    callback_id bigint,
    seen_at timestamptz not null
);
create index mpesa_receipt_sightings_of_receipt on mpesa_receipt_sightings (receipt_id);

create table receipt_claims (
    id uuid primary key,
    bar_id uuid not null references bars,
    tab_id uuid not null references tabs,
    transaction_id uuid references mpesa_transactions,
    receipt text not null,
    claimed_by text not null,
    status text not null default 'open' check (status in ('open', 'matched', 'refused')),
    ledger_id uuid references tab_payments,
    decided_by text,
    decided_at timestamptz,
    created_at timestamptz not null
);
create index receipt_claims_open on receipt_claims (bar_id, created_at) where status = 'open';
create index receipt_claims_of_tab on receipt_claims (tab_id);
create index receipt_claims_by_code on receipt_claims (receipt);

-- What we asked Daraja and what it answered; redacted by an allow-list before it comes here.
create table daraja_exchanges (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    bar_id uuid not null references bars,
    transaction_id uuid references mpesa_transactions,
    kind text not null,
    outcome text not null,
    http_status integer,
    duration_ms integer not null,
    request jsonb not null,
    response jsonb not null
);
create index daraja_exchanges_of_transaction on daraja_exchanges (transaction_id, at);
create index daraja_exchanges_of_bar on daraja_exchanges (bar_id, at desc);

-- Something a person should look at. Anyone may open one; delivery is somebody else's work.
create table problems (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid references bars,
    kind text not null,
    -- What it is about, a transaction's id for example; one open problem a kind and subject.
    subject text not null,
    severity text not null check (severity in ('critical', 'error', 'warning', 'info')),
    detail jsonb not null default '{}',
    opened_at timestamptz not null,
    acknowledged_at timestamptz,
    acknowledged_by text,
    closed_at timestamptz,
    closed_by text,
    close_reason text
);
create unique index problems_one_open on problems (kind, subject) where closed_at is null;
create index problems_open_of_bar on problems (bar_id, opened_at) where closed_at is null;

create table worker_heartbeats (
    worker text primary key,
    seen_at timestamptz not null,
    detail jsonb not null default '{}'
);
