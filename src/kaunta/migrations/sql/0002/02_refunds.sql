-- Money's way back, and the asynchronous calls that it and other questions go by.

alter table bars
    -- Above this many shillings a refund needs a second person.
    add column refund_alone_limit integer not null default 1000 check (refund_alone_limit >= 0);

-- The person whose name asynchronous calls act in. Its password expires and is changed without touching the keys.
create table mpesa_initiators (
    credential_id uuid primary key references mpesa_credentials,
    bar_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    name text not null check (length(name) between 1 and 64),
    password_enc bytea not null,
    version integer not null default 1 check (version >= 1),
    set_by text not null,
    set_at timestamptz not null,
    -- Safaricom lets passwords live about ninety days.
    expires_at timestamptz not null,
    -- Safaricom said 2001, 21 or 8006: wrong, without the role, or locked.
    refused_at timestamptz,
    refused_code text
);
create index mpesa_initiators_of_bar on mpesa_initiators (bar_id);

create type refund_state as enum ('requested', 'processing', 'unknown', 'refunded', 'failed', 'withdrawn');

create table mpesa_refunds (
    id uuid primary key,
    bar_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    -- What is given back: a proven receipt, or a credit whose receipt is not known.
    receipt_id uuid references mpesa_receipts,
    credit_id uuid references tab_payments,
    amount integer not null check (amount > 0),
    -- taken_back: the payer's own doing (456), seen afterwards.
    method text not null check (method in ('reversal', 'by_hand', 'taken_back')),
    state refund_state not null default 'requested',
    reason text not null,
    -- The receipt of the money's way back: the reversal's own, or the other transaction's.
    code text check (code = upper(code)),
    requested_by text not null,
    needs_approval boolean not null,
    approved_by text,
    approved_at timestamptz,
    idempotency_key text not null check (length(idempotency_key) between 1 and 200),
    failure text,
    -- Written and committed before the reversal is sent: it is sent at most once.
    asked_at timestamptz,
    settled_at timestamptz,
    next_check_at timestamptz,
    checks integer not null default 0,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (bar_id, idempotency_key),
    check (receipt_id is not null or credit_id is not null),
    check (method <> 'reversal' or receipt_id is not null),
    check ((approved_by is null) = (approved_at is null)),
    check (approved_by is distinct from requested_by),
    check (not needs_approval or approved_by is not null or state in ('requested', 'withdrawn')),
    check ((state in ('refunded', 'failed', 'withdrawn')) = (settled_at is not null)),
    check (state not in ('processing', 'unknown') or (method = 'reversal' and asked_at is not null)),
    check (method <> 'by_hand' or code is not null)
);
create unique index mpesa_refunds_one_open_reversal on mpesa_refunds (receipt_id)
    where method = 'reversal' and state in ('requested', 'processing', 'unknown');
create unique index mpesa_refunds_one_a_code on mpesa_refunds (environment, code)
    where code is not null and state not in ('failed', 'withdrawn');
create index mpesa_refunds_of_receipt on mpesa_refunds (receipt_id);
create index mpesa_refunds_of_credit on mpesa_refunds (credit_id);
create index mpesa_refunds_of_bar on mpesa_refunds (bar_id, created_at desc);
create index mpesa_refunds_due on mpesa_refunds (next_check_at) where next_check_at is not null;

-- The legal ways of a refund; payments/refund_states.py holds the same table, a test compares the two.
create table refund_state_ways (
    from_state refund_state not null,
    to_state refund_state not null,
    primary key (from_state, to_state)
);
insert into refund_state_ways values
    ('requested', 'processing'), ('requested', 'refunded'), ('requested', 'withdrawn'),
    ('processing', 'unknown'), ('processing', 'refunded'), ('processing', 'failed'),
    ('unknown', 'refunded'), ('unknown', 'failed'),
    -- Safaricom's late word that it did happen.
    ('failed', 'refunded');

create function mpesa_refunds_guard() returns trigger language plpgsql as $$
declare
    received integer;
    given integer;
begin
    if tg_op = 'UPDATE' then
        if new.state <> old.state and not exists (
            select from refund_state_ways w where w.from_state = old.state and w.to_state = new.state
        ) then
            raise exception 'a refund cannot go from % to %', old.state, new.state
                using errcode = 'check_violation', constraint = 'mpesa_refunds_legal_ways';
        end if;
        if (new.id, new.bar_id, new.environment, new.amount, new.method, new.requested_by, new.needs_approval,
            new.idempotency_key, new.created_at)
           is distinct from
           (old.id, old.bar_id, old.environment, old.amount, old.method, old.requested_by, old.needs_approval,
            old.idempotency_key, old.created_at)
           or (old.receipt_id is not null and new.receipt_id is distinct from old.receipt_id)
           or (old.asked_at is not null and new.asked_at is distinct from old.asked_at)
           or (old.code is not null and new.code is distinct from old.code)
           or (old.approved_by is not null and new.approved_by is distinct from old.approved_by) then
            raise exception 'what a refund was requested as cannot change'
                using errcode = 'check_violation', constraint = 'mpesa_refunds_immutable';
        end if;
    elsif new.state <> 'requested' and new.method <> 'taken_back' then
        raise exception 'a refund begins as requested'
            using errcode = 'check_violation', constraint = 'mpesa_refunds_begin_requested';
    end if;
    -- Counted when it begins to count; what changes besides takes no lock, so that a worker that takes up refunds and
    -- somebody who holds a receipt do not wait for each other. A receipt that proves smaller than what was given back of
    -- its credit is no reason to refuse the proof: the money has gone, and a person is told.
    if new.state not in ('failed', 'withdrawn') and (tg_op = 'INSERT' or old.state in ('failed', 'withdrawn')) then
        -- Held until the commit: two refunds of one payment are counted one after the other.
        if new.receipt_id is not null then
            select amount into received from mpesa_receipts where id = new.receipt_id for no key update;
        else
            select amount into received from tab_payments where id = new.credit_id and kind = 'payment'
            for no key update;
            select received + coalesce(sum(amount), 0) into received from tab_payments
            where corrects = new.credit_id and kind = 'correction';
        end if;
        select coalesce(sum(f.amount), 0) into given from mpesa_refunds f
        where f.id <> new.id and f.state not in ('failed', 'withdrawn')
          and (f.receipt_id = new.receipt_id or f.credit_id = new.credit_id
               or f.credit_id = (select ledger_id from mpesa_receipts where id = new.receipt_id)
               or f.receipt_id = (select id from mpesa_receipts where ledger_id = new.credit_id));
        if received is null or given + new.amount > received then
            raise exception 'more would be given back than was received'
                using errcode = 'check_violation', constraint = 'mpesa_refunds_within_received';
        end if;
    end if;
    return new;
end $$;
create trigger mpesa_refunds_guard before insert or update on mpesa_refunds
    for each row execute function mpesa_refunds_guard();
create trigger mpesa_refunds_stay before delete on mpesa_refunds for each row execute function never_again();
create trigger mpesa_refunds_no_truncate before truncate on mpesa_refunds
    for each statement execute function never_truncate();

-- A refund's own timeline: append-only, and its audit row in one.
create table refund_events (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    xact xid8 not null default pg_current_xact_id(),
    bar_id uuid not null references bars,
    refund_id uuid not null references mpesa_refunds,
    kind text not null,
    from_state refund_state,
    to_state refund_state not null,
    actor text not null,
    reason text,
    detail jsonb not null default '{}'
);
create index refund_events_of_refund on refund_events (refund_id, id);
create index refund_events_of_bar on refund_events (bar_id, id);
create trigger refund_events_append_only before update or delete on refund_events
    for each row execute function never_again();
create trigger refund_events_no_truncate before truncate on refund_events
    for each statement execute function never_truncate();

create or replace view audit_log as
    select at, 'payment' as source, id, bar_id, actor, kind as action, 'transaction' as object_kind,
           transaction_id::text as object_id, 'ok' as outcome, null::text as reason,
           detail || jsonb_strip_nulls(jsonb_build_object('from', from_status, 'to', to_status)) as detail
    from payment_events
    union all
    select at, 'audit', id, bar_id, actor, action, object_kind, object_id, outcome, reason, detail
    from audit_events
    union all
    select at, 'refund', id, bar_id, actor, kind, 'refund', refund_id::text, 'ok', reason,
           detail || jsonb_strip_nulls(jsonb_build_object('from', from_state, 'to', to_state))
    from refund_events;

-- An asynchronous call: asked once, answered later at an address of its own, or never.
create table daraja_requests (
    id uuid primary key,
    bar_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    credential_id uuid not null,
    credential_version integer not null,
    kind text not null check (kind in ('status', 'reversal', 'balance')),
    token_hash bytea not null unique,
    -- What a status call asks about: a receipt, or a refund's reversal.
    receipt text,
    refund_id uuid references mpesa_refunds,
    asked_by text not null,
    state text not null default 'asked' check (state in (
        'asked', 'accepted', 'refused', 'not_sent', 'no_answer', 'answered', 'timed_out')),
    originator_conversation_id text,
    conversation_id text,
    error_code text,
    result_code text,
    result_desc text,
    -- What a balance call was told, account by account in shillings; nothing personal.
    result jsonb,
    asked_at timestamptz not null,
    answered_at timestamptz,
    foreign key (credential_id, credential_version) references mpesa_credential_versions,
    check (kind <> 'reversal' or refund_id is not null),
    check (kind <> 'status' or receipt is not null or refund_id is not null)
);
-- A reversal is requested at most once, whoever asks.
create unique index daraja_requests_one_reversal on daraja_requests (refund_id) where kind = 'reversal';
create index daraja_requests_of_refund on daraja_requests (refund_id) where refund_id is not null;
create index daraja_requests_of_receipt on daraja_requests (environment, receipt, asked_at desc)
    where receipt is not null;
create index daraja_requests_of_bar on daraja_requests (bar_id, asked_at desc);
create index daraja_requests_of_credential on daraja_requests (credential_id, credential_version);

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on mpesa_initiators, mpesa_refunds, refund_state_ways, refund_events, daraja_requests
        to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert on mpesa_refunds, refund_events, daraja_requests to kaunta_app, kaunta_worker;
    grant update on mpesa_refunds, daraja_requests, mpesa_initiators to kaunta_app, kaunta_worker;
    grant insert, delete on mpesa_initiators to kaunta_app;
    grant usage on all sequences in schema public to kaunta_app, kaunta_worker;
end $$;
