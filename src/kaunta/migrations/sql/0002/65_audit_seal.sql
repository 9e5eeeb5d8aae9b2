-- The audit's seals: what was written cannot be changed or taken away unseen, not even by whoever owns the database.
-- The worker seals what is committed, in batches; each batch is chained to the one before it with a key that the
-- database does not have. A digest stays when its row is forgotten, so that the chain can still be followed.

-- How long a line is kept: openings of secrets are many and short-lived, money and decisions are kept for years.
create function kaunta_audit_keep(action text) returns text language sql immutable parallel safe as $$
    select case when action = 'credentials.opened' then 'access' else 'record' end
$$;

create table audit_seals (
    -- Without gaps: a batch that is missing is missed.
    batch bigint primary key check (batch > 0),
    kind text not null check (kind in ('payment', 'refund', 'audit')),
    month date not null,
    -- Places in the chain of this kind and month.
    first_place bigint not null check (first_place > 0),
    last_place bigint not null,
    sealed_at timestamptz not null,
    key_id text not null,
    key_check bytea not null,
    mac bytea not null check (octet_length(mac) = 32),
    unique (kind, month, first_place),
    check (last_place >= first_place)
);

create table audit_digests (
    batch bigint not null references audit_seals,
    place bigint not null,
    kind text not null,
    month date not null,
    id bigint not null,
    at timestamptz not null,
    keep text not null check (keep in ('money', 'access', 'record')),
    digest bytea not null check (octet_length(digest) = 32),
    primary key (batch, place),
    unique (kind, id, at)
);

-- How far each kind is sealed, by the transaction that wrote a row: ids do not commit in their order. Rows that were
-- written in another cluster (this database was restored) carry numbers of transactions that this one has yet to
-- reach; they have a mark of their own, and both begin anew when the cluster is another.
create table audit_marks (
    kind text primary key check (kind in ('payment', 'refund', 'audit')),
    cluster bigint not null default 0,
    xact xid8 not null default '0',
    id bigint not null default 0,
    elsewhere_xact xid8 not null default '0',
    elsewhere_id bigint not null default 0
);
insert into audit_marks (kind) values ('payment'), ('refund'), ('audit');

-- What the worker found when it last followed the chain from its beginning.
create table audit_watch (
    only_one boolean primary key default true check (only_one),
    next_at timestamptz not null default '-infinity',
    checked_at timestamptz,
    through_batch bigint,
    rows_checked bigint,
    findings jsonb
);
insert into audit_watch default values;

create index payment_events_of_xact on payment_events (xact, id);
create index audit_events_of_xact on audit_events (xact, id);
create index refund_events_of_xact on refund_events (xact, id);
create index audit_events_of_access on audit_events (at) where kaunta_audit_keep(action) = 'access';
create index audit_events_of_forgetting on audit_events (object_id, at) where action = 'audit.forgotten';

create trigger audit_seals_append_only before update or delete on audit_seals
    for each row execute function never_again();
create trigger audit_seals_no_truncate before truncate on audit_seals
    for each statement execute function never_truncate();
create trigger audit_digests_append_only before update or delete on audit_digests
    for each row execute function never_again();
create trigger audit_digests_no_truncate before truncate on audit_digests
    for each statement execute function never_truncate();

-- A line is forgotten only by the function below, which leaves word of it: the word of this very transaction opens the
-- tables for rows that are old enough, and for nothing else.
create table audit_forgettings (
    xact xid8 primary key default pg_current_xact_id(),
    keep text not null check (keep in ('money', 'access', 'record')),
    before timestamptz not null,
    at timestamptz not null default now()
);
create trigger audit_forgettings_append_only before update or delete on audit_forgettings
    for each row execute function never_again();
create trigger audit_forgettings_no_truncate before truncate on audit_forgettings
    for each statement execute function never_truncate();

create function never_again_unless_forgotten() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and exists (
        select from audit_forgettings f
        where f.xact = pg_current_xact_id_if_assigned() and old.at < f.before
          and f.keep = case when to_jsonb(old) ? 'action' then kaunta_audit_keep(to_jsonb(old) ->> 'action')
                            else 'money' end
    ) then
        return old;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;

-- One statement a table, so that nothing stands between the old rule and the new.
create or replace trigger payment_events_append_only before update or delete on payment_events
    for each row execute function never_again_unless_forgotten();
create or replace trigger audit_events_append_only before update or delete on audit_events
    for each row execute function never_again_unless_forgotten();
create or replace trigger refund_events_append_only before update or delete on refund_events
    for each row execute function never_again_unless_forgotten();

-- Forgets sealed lines older than `before`, `most` a table; how many. Never what is younger than its kind must be kept,
-- whoever asks. With the migrating login's rights: nobody else may delete here.
create function kaunta_forget_audit(kept text, older_than timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone bigint := 0;
    n bigint;
begin
    if older_than > now() - (case kept when 'access' then interval '30 days' else interval '5 years' end) then
        raise exception 'the audit of % must be kept longer', kept using errcode = 'check_violation';
    end if;
    insert into audit_forgettings (keep, before) values (kept, older_than);
    if kept = 'money' then
        delete from payment_events e using (
            select o.id, o.at from payment_events o join audit_digests d on d.kind = 'payment' and d.id = o.id and d.at = o.at
            where o.at < older_than limit most) old where e.id = old.id and e.at = old.at;
        get diagnostics gone = row_count;
        delete from refund_events e using (
            select o.id from refund_events o join audit_digests d on d.kind = 'refund' and d.id = o.id and d.at = o.at
            where o.at < older_than limit most) old where e.id = old.id;
        get diagnostics n = row_count;
        return gone + n;
    end if;
    delete from audit_events e using (
        select o.id, o.at from audit_events o join audit_digests d on d.kind = 'audit' and d.id = o.id and d.at = o.at
        where o.at < older_than and kaunta_audit_keep(o.action) = kept limit most) old
        where e.id = old.id and e.at = old.at;
    get diagnostics gone = row_count;
    return gone;
end $$;
revoke all on function kaunta_forget_audit(text, timestamptz, integer) from public;

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on audit_seals, audit_digests, audit_marks, audit_watch, audit_forgettings
        to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert on audit_seals, audit_digests to kaunta_worker;
    grant update on audit_marks, audit_watch to kaunta_worker;
    grant execute on function kaunta_forget_audit(text, timestamptz, integer) to kaunta_worker;
end $$;
