-- What happened: the inbox of everything Safaricom posted, the events of every payment, the audit of the rest.
-- Partitioned by month from the first row, so that their cost stays flat and retention is a DROP.

create sequence mpesa_callbacks_id;
create table mpesa_callbacks (
    id bigint not null default nextval('mpesa_callbacks_id'),
    received_at timestamptz not null,
    channel text not null check (channel in ('stk', 'c2b', 'result')),
    token_hash bytea,
    source inet,
    body_enc bytea not null,
    processed_at timestamptz,
    verdict text check (verdict in ('applied', 'duplicate', 'orphan', 'unauthenticated', 'malformed', 'contradictory')),
    transaction_id uuid,
    attempts integer not null default 0,
    -- When to try (again); pushed ahead while somebody is at it.
    next_attempt_at timestamptz not null,
    last_error text,
    primary key (id, received_at)
) partition by range (received_at);
create index mpesa_callbacks_waiting on mpesa_callbacks (next_attempt_at) where processed_at is null;
create index mpesa_callbacks_of_transaction on mpesa_callbacks (transaction_id);

create sequence payment_events_id;
create table payment_events (
    id bigint not null default nextval('payment_events_id'),
    at timestamptz not null,
    -- Seals cover only rows below pg_snapshot_xmin: a later commit may carry a lower id.
    xact xid8 not null default pg_current_xact_id(),
    bar_id uuid not null,
    transaction_id uuid not null,
    kind text not null,
    from_status transaction_status,
    to_status transaction_status,
    actor text not null,
    detail jsonb not null default '{}',
    primary key (id, at)
) partition by range (at);
create index payment_events_of_transaction on payment_events (transaction_id, id);
create index payment_events_of_bar on payment_events (bar_id, id);

create sequence audit_events_id;
create table audit_events (
    id bigint not null default nextval('audit_events_id'),
    at timestamptz not null,
    xact xid8 not null default pg_current_xact_id(),
    bar_id uuid,
    actor text not null,
    action text not null,
    object_kind text not null,
    object_id text not null,
    outcome text not null default 'ok',
    reason text,
    detail jsonb not null default '{}',
    primary key (id, at)
) partition by range (at);
create index audit_events_of_object on audit_events (object_kind, object_id, id);
create index audit_events_of_bar on audit_events (bar_id, id);

-- A state change's event is its audit row: one truth, read as one.
create view audit_log as
    select at, 'payment' as source, id, bar_id, actor, kind as action, 'transaction' as object_kind,
           transaction_id::text as object_id, 'ok' as outcome, null::text as reason,
           detail || jsonb_strip_nulls(jsonb_build_object('from', from_status, 'to', to_status)) as detail
    from payment_events
    union all
    select at, 'audit', id, bar_id, actor, action, object_kind, object_id, outcome, reason, detail
    from audit_events;

-- TRUNCATE fires no row trigger; say no to it as well.
create function never_truncate() returns trigger language plpgsql as $$
begin
    raise exception '% cannot be truncated', tg_table_name using errcode = 'insufficient_privilege';
end $$;

-- Months ahead, and a DEFAULT so that no row is ever refused for its date. A partition can be truncated by its own
-- name, so each gets its own trigger; retention drops whole partitions and is not hindered.
-- With the migrating login's rights: a worker by least privilege may not make tables, but these it must.
create function kaunta_make_partitions(months_ahead integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
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

-- Whole months ahead of this one that every partitioned table is ready for.
create function kaunta_months_ahead() returns integer language sql stable as $$
    select min(ready) from (
        select parent, (select count(*) from generate_series(1, 24) ahead
                        where to_regclass(parent || '_' || to_char(date_trunc('month', now() at time zone 'UTC')
                              + make_interval(months => ahead), 'YYYY_MM')) is not null) as ready
        from unnest(array['mpesa_callbacks', 'payment_events', 'audit_events']) as parent
    ) months
$$;

create table mpesa_callbacks_default partition of mpesa_callbacks default;
create table payment_events_default partition of payment_events default;
create table audit_events_default partition of audit_events default;
create trigger payment_events_default_no_truncate before truncate on payment_events_default
    for each statement execute function never_truncate();
create trigger audit_events_default_no_truncate before truncate on audit_events_default
    for each statement execute function never_truncate();
select kaunta_make_partitions(6);
