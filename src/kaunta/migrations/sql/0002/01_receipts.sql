-- Receipts from every channel: what the payer wrote, who they are, and what becomes of one that fits no payment.

alter table mpesa_receipts
    -- BillRefNumber as the payer's phone sent it, long runs of digits struck out: people type their numbers there.
    add column reference text not null default '' check (length(reference) <= 64),
    add column name_enc bytea,
    -- A person said that this money is nobody's bill here: rent, a deposit of the owner's.
    add column set_aside_at timestamptz,
    add column set_aside_by text,
    add column set_aside_reason text,
    add constraint mpesa_receipts_set_aside_whole check (
        (set_aside_at is null) = (set_aside_by is null) and (set_aside_at is null) = (set_aside_reason is null)),
    add constraint mpesa_receipts_set_aside_or_booked check (set_aside_at is null or ledger_id is null);
create unique index mpesa_receipts_one_a_credit on mpesa_receipts (ledger_id) where ledger_id is not null;
create index mpesa_receipts_unbooked on mpesa_receipts (bar_id, created_at)
    where ledger_id is null and set_aside_at is null;

-- Receipts look for their payment by the reference they carry, within their shortcode.
create index mpesa_transactions_by_reference on mpesa_transactions (business_shortcode, reference);

create function mpesa_receipts_guard() returns trigger language plpgsql as $$
begin
    if (new.id, new.environment, new.receipt, new.amount, new.business_shortcode, new.created_at)
       is distinct from
       (old.id, old.environment, old.receipt, old.amount, old.business_shortcode, old.created_at) then
        raise exception 'what Safaricom proved cannot change'
            using errcode = 'check_violation', constraint = 'mpesa_receipts_immutable';
    end if;
    return new;
end $$;
create trigger mpesa_receipts_guard before update on mpesa_receipts
    for each row execute function mpesa_receipts_guard();

-- Pulled every few minutes and imported as often as somebody likes: once is a sighting, the rest is repetition.
create unique index mpesa_receipt_sightings_once_a_list on mpesa_receipt_sightings (receipt_id, channel)
    where channel in ('pull', 'statement');

-- A credit that rests on a person's word about a proven receipt. The receipt itself stays out of the credit's row, so
-- that Safaricom's proof for another payment finds its place free.
alter table receipt_claims
    add column environment text check (environment in ('sandbox', 'production')),
    add column reason text;
create index receipt_claims_of_ledger on receipt_claims (ledger_id) where ledger_id is not null;

alter table tab_payments
    add column claim_id uuid references receipt_claims,
    drop constraint tab_payments_check4,
    add constraint tab_payments_mpesa_has_its_ground check (
        method is distinct from 'mpesa' or transaction_id is not null or receipt is not null or claim_id is not null);
create unique index tab_payments_one_credit_a_claim on tab_payments (claim_id) where kind = 'payment';
-- Rows that take back or correct are looked for by what they correct.
create index tab_payments_corrections on tab_payments (corrects) where corrects is not null;

-- Safaricom's other posts: payments at the till, the question before one, results of asynchronous calls.
alter table mpesa_callbacks
    drop constraint mpesa_callbacks_channel_check,
    add constraint mpesa_callbacks_channel_check
        check (channel in ('stk', 'c2b', 'validation', 'result', 'timeout')),
    drop constraint mpesa_callbacks_verdict_check,
    add constraint mpesa_callbacks_verdict_check check (verdict in (
        'applied', 'duplicate', 'orphan', 'unauthenticated', 'malformed', 'contradictory', 'unmatched', 'answered'));

-- Where Safaricom posts a shortcode's direct payments: one secret a bar, environment and shortcode.
create table c2b_addresses (
    id uuid primary key,
    bar_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    shortcode text not null,
    secret_hash bytea not null unique,
    -- Sealed, because the portal may have to be told the same address again.
    secret_enc bytea not null,
    api_version text not null check (api_version in ('v1', 'v2')),
    response_type text not null check (response_type in ('Completed', 'Cancelled')),
    -- What is answered when Safaricom asks before it takes the money.
    rule text not null default 'all' check (rule in ('all', 'open_references')),
    state text not null default 'new' check (state in ('new', 'asked', 'registered', 'refused', 'unknown')),
    error_code text,
    error_message text,
    asked_at timestamptz,
    registered_at timestamptz,
    heard_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (bar_id, environment, shortcode),
    check ((state = 'registered') = (registered_at is not null))
);

-- Shortcodes whose payments may be asked for in a list.
create table pull_subscriptions (
    credential_id uuid primary key references mpesa_credentials,
    bar_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    shortcode text not null,
    subscribed_at timestamptz not null,
    -- When the list is asked for next; doubles as the lease of whoever asks now.
    next_pull_at timestamptz,
    pulled_at timestamptz,
    error text
);
create index pull_subscriptions_of_bar on pull_subscriptions (bar_id);
create index pull_subscriptions_due on pull_subscriptions (next_pull_at) where next_pull_at is not null;

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on c2b_addresses, pull_subscriptions to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert, update on c2b_addresses, pull_subscriptions to kaunta_app, kaunta_worker;
end $$;
