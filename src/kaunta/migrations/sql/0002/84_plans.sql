-- What keeps big tables quick: days of the history counted ahead, indexes for questions that had none, and partitions
-- that are made and dropped without anybody waiting.

-- A bar's payments by business day (06:00 to 06:00 in Nairobi, which is 03:00 UTC all year round).
create function kaunta_business_day(at timestamptz) returns date language sql immutable parallel safe as $$
    select ((at at time zone 'UTC') - interval '3 hours')::date
$$;
create function kaunta_day_begins(day date) returns timestamptz language sql immutable parallel safe as $$
    select (day + interval '3 hours') at time zone 'UTC'
$$;

-- Kept by the worker for days that are over; `received` and `refunded` are shillings of completed payments.
create table payment_days (
    bar_id uuid not null references bars,
    day date not null,
    environment text not null check (environment in ('sandbox', 'production')),
    pending integer not null,
    sent integer not null,
    completed integer not null,
    failed integer not null,
    cancelled integer not null,
    timeout integer not null,
    received bigint not null,
    refunded bigint not null,
    primary key (bar_id, day, environment)
);

-- Up to which day every bar's days are kept.
create table payment_days_mark (
    only_one boolean primary key default true check (only_one),
    through date
);
insert into payment_days_mark default values;

-- Days of which something changed long after they were over: read from the payments until the worker counts them anew.
-- Appended to without a look at what is there, so that no two payments wait for each other here.
create table payment_days_stale (
    id bigint generated always as identity primary key,
    bar_id uuid not null references bars,
    day date not null
);
create index payment_days_stale_of_bar on payment_days_stale (bar_id, day);

create function kaunta_payment_day_changed() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    insert into payment_days_stale (bar_id, day) values (new.bar_id, kaunta_business_day(new.created_at));
    return null;
end $$;
create function kaunta_refund_booked() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    insert into payment_days_stale (bar_id, day)
    select p.bar_id, kaunta_business_day(p.created_at) from mpesa_transactions p
    where p.id = new.transaction_id and p.created_at < now() - interval '2 days';
    return null;
end $$;
-- The worker counts a day when it has been over for longer than these two days: no evening's payment pays for this.
create trigger mpesa_transactions_day after insert or update on mpesa_transactions
    for each row when (new.created_at < now() - interval '2 days') execute function kaunta_payment_day_changed();
create trigger tab_payments_day after insert on tab_payments
    for each row when (new.kind = 'refund' and new.transaction_id is not null) execute function kaunta_refund_booked();

-- Questions whose answer is rare among a bar's payments.
create index mpesa_transactions_unpaid_of_bar on mpesa_transactions (bar_id, status, created_at desc, id desc)
    where status <> 'completed';
create index mpesa_transactions_irregular_of_bar on mpesa_transactions (bar_id, created_at desc, id desc)
    where cardinality(irregularities) > 0;
create index tab_payments_refunds on tab_payments (transaction_id) where kind = 'refund' and transaction_id is not null;
create index tabs_ever_at_table on tabs (table_code_id);
create index receipt_claims_of_transaction on receipt_claims (transaction_id) where transaction_id is not null;
-- What happened lately, whoever's: ranges cost next to nothing to keep.
create index payment_events_lately on payment_events using brin (at);
create index audit_events_lately on audit_events using brin (at);
create index refund_events_lately on refund_events using brin (at);
-- What is forgotten by its age.
create index sign_in_attempts_by_age on sign_in_attempts (at);
create index alert_messages_by_age on alert_messages (created_at);
create index alerts_by_end on alerts (ended_at) where ended_at is not null;

-- As in 0001, but a month is not worth anybody's wait: making a partition wants every reader of the whole table to have
-- ended, and behind whoever waits for that all callbacks would wait too. Six months ahead, the next hour does as well.
create or replace function kaunta_make_partitions(months_ahead integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '300ms' as $$
declare
    parent text;
    first date := date_trunc('month', now() at time zone 'UTC')::date;
    start date;
    child text;
    made integer := 0;
begin
    foreach parent in array array['mpesa_callbacks', 'payment_events', 'audit_events'] loop
        for ahead in 0..months_ahead loop
            start := (first + make_interval(months => ahead))::date;
            child := format('%s_%s', parent, to_char(start, 'YYYY_MM'));
            if to_regclass(child) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)', child, parent,
                               start || ' 00:00+00', (start + interval '1 month')::date || ' 00:00+00');
                -- pg_dump reads each month by its own name.
                if to_regrole('kaunta_worker') is not null then
                    execute format('grant select on %I to kaunta_worker', child);
                end if;
                if parent <> 'mpesa_callbacks' then
                    execute format('create trigger %I before truncate on %I for each statement '
                                   'execute function never_truncate()', child || '_no_truncate', child);
                end if;
                made := made + 1;
            end if;
        end loop;
    end loop;
    return made;
end $$;

-- Drops the oldest month that ended before `older_than` and that nobody needs: of the events and the audit one whose
-- lines have all been forgotten (which leaves their digests), of the inbox one in which nothing waits. Its name, or null.
-- (Detaching it without any lock is not to be had beside a DEFAULT partition.)
create function kaunta_drop_month(older_than timestamptz) returns text
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '300ms' as $$
declare
    month record;
    needed boolean;
begin
    -- Whoever asks.
    older_than := least(older_than, now() - interval '5 years');
    for month in
        select c.relname as child, p.relname as parent
        from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
        where p.relname in ('mpesa_callbacks', 'payment_events', 'audit_events')
          and p.relnamespace = 'public'::regnamespace and c.relname ~ '_[0-9]{4}_[0-9]{2}$'
          and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= older_than at time zone 'UTC'
        order by right(c.relname, 7), c.relname
    loop
        if month.parent = 'mpesa_callbacks' then
            execute format('select exists (select from %I where processed_at is null)', month.child) into needed;
        else
            execute format('select exists (select from %I)', month.child) into needed;
        end if;
        if not needed then
            execute format('drop table %I', month.child);
            return month.child;
        end if;
    end loop;
    return null;
end $$;
revoke all on function kaunta_drop_month(timestamptz) from public;

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on payment_days, payment_days_mark, payment_days_stale to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert, update, delete on payment_days to kaunta_worker;
    grant update on payment_days_mark to kaunta_worker;
    grant delete on payment_days_stale to kaunta_worker;
    grant execute on function kaunta_drop_month(timestamptz) to kaunta_worker;
end $$;
