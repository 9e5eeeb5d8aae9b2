-- What must hold whoever writes: the code decides, the database refuses what the code must never decide.

-- The legal ways of a payment. payments/states.py holds the same table; a test compares the two.
create table transaction_status_ways (
    from_status transaction_status not null,
    to_status transaction_status not null,
    primary key (from_status, to_status)
);
insert into transaction_status_ways values
    ('pending', 'sent'), ('pending', 'completed'), ('pending', 'failed'), ('pending', 'cancelled'), ('pending', 'timeout'),
    ('sent', 'completed'), ('sent', 'failed'), ('sent', 'cancelled'), ('sent', 'timeout'),
    ('timeout', 'completed'), ('timeout', 'failed'), ('timeout', 'cancelled'),
    ('failed', 'completed'), ('cancelled', 'completed');

create function mpesa_transactions_guard() returns trigger language plpgsql as $$
begin
    if new.status <> old.status and not exists (
        select from transaction_status_ways w where w.from_status = old.status and w.to_status = new.status
    ) then
        raise exception 'a payment cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'mpesa_transactions_legal_ways';
    end if;
    if (new.id, new.bar_id, new.tab_id, new.credential_id, new.credential_version, new.environment,
        new.business_shortcode, new.reference, new.amount, new.phone_hash, new.callback_token_hash,
        new.push_started_at, new.created_at)
       is distinct from
       (old.id, old.bar_id, old.tab_id, old.credential_id, old.credential_version, old.environment,
        old.business_shortcode, old.reference, old.amount, old.phone_hash, old.callback_token_hash,
        old.push_started_at, old.created_at)
       or new.retry_of is distinct from old.retry_of then
        raise exception 'what a payment was started as cannot change'
            using errcode = 'check_violation', constraint = 'mpesa_transactions_immutable';
    end if;
    if not new.irregularities @> old.irregularities then
        raise exception 'an irregularity is never taken back'
            using errcode = 'check_violation', constraint = 'mpesa_transactions_irregularities_grow';
    end if;
    if (old.receipt is not null and new.receipt is distinct from old.receipt)
       or (old.checkout_request_id_hash is not null
           and new.checkout_request_id_hash is distinct from old.checkout_request_id_hash) then
        raise exception 'what Safaricom told us is filled in once'
            using errcode = 'check_violation', constraint = 'mpesa_transactions_filled_once';
    end if;
    return new;
end $$;
create trigger mpesa_transactions_guard before update on mpesa_transactions
    for each row execute function mpesa_transactions_guard();

create function mpesa_transactions_begin_pending() returns trigger language plpgsql as $$
begin
    if new.status <> 'pending' then
        raise exception 'a payment begins as pending'
            using errcode = 'check_violation', constraint = 'mpesa_transactions_begin_pending';
    end if;
    return new;
end $$;
create trigger mpesa_transactions_begin_pending before insert on mpesa_transactions
    for each row execute function mpesa_transactions_begin_pending();

create function never_again() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;

create trigger payment_events_append_only before update or delete on payment_events
    for each row execute function never_again();
create trigger audit_events_append_only before update or delete on audit_events
    for each row execute function never_again();
create trigger mpesa_transactions_stay before delete on mpesa_transactions
    for each row execute function never_again();
create trigger mpesa_receipts_stay before delete on mpesa_receipts
    for each row execute function never_again();
create trigger mpesa_receipt_sightings_append_only before update or delete on mpesa_receipt_sightings
    for each row execute function never_again();

-- The one thing that may be added to a ledger row is the receipt of a credit that was proven before its receipt
-- was known.
create function tab_payments_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.receipt is null and new.receipt is not null
       and (to_jsonb(new) - 'receipt') = (to_jsonb(old) - 'receipt') then
        return new;
    end if;
    raise exception 'a ledger row is a fact: write another row' using errcode = 'insufficient_privilege';
end $$;
create trigger tab_payments_guard before update or delete on tab_payments
    for each row execute function tab_payments_guard();

create trigger payment_events_no_truncate before truncate on payment_events
    for each statement execute function never_truncate();
create trigger audit_events_no_truncate before truncate on audit_events
    for each statement execute function never_truncate();
create trigger tab_payments_no_truncate before truncate on tab_payments
    for each statement execute function never_truncate();
create trigger mpesa_transactions_no_truncate before truncate on mpesa_transactions
    for each statement execute function never_truncate();
create trigger mpesa_receipts_no_truncate before truncate on mpesa_receipts
    for each statement execute function never_truncate();
create trigger mpesa_receipt_sightings_no_truncate before truncate on mpesa_receipt_sightings
    for each statement execute function never_truncate();

alter table tab_payments add foreign key (transaction_id) references mpesa_transactions;
