-- Machines: what an API key asked for within a minute, and webhooks, which tell a bar's own programs what became of its
-- payments.

-- One row a key, shared by every process.
create table api_key_windows (
    key_id uuid primary key references api_keys on delete cascade,
    began_at timestamptz not null,
    used integer not null check (used > 0)
);

create table webhook_endpoints (
    id uuid primary key,
    bar_id uuid not null references bars,
    url text not null check (length(url) between 8 and 500),
    -- What the messages are signed with.
    secret_enc bytea not null,
    added_by text not null,
    -- Nothing that happened before is told.
    created_at timestamptz not null,
    -- How often in a row it did not take a message; until when nothing is sent there.
    failures integer not null default 0 check (failures >= 0),
    rests_until timestamptz,
    heard_at timestamptz,
    removed_at timestamptz
);
create unique index webhook_endpoints_once on webhook_endpoints (bar_id, url) where removed_at is null;

-- One message to one endpoint about one event. Written by a worker once the event is committed: no payment waits for it.
create table webhook_messages (
    -- Travels with the message: who gets it twice knows by it.
    id uuid primary key,
    bar_id uuid not null references bars,
    endpoint_id uuid not null references webhook_endpoints,
    type text not null check (type in ('payment.completed', 'payment.irregular', 'payment.refunded')),
    source text not null check (source in ('payment', 'refund')),
    event_id bigint not null,
    event_at timestamptz not null,
    -- The same bytes on every try.
    body text not null,
    created_at timestamptz not null,
    -- When to try (again); pushed ahead while somebody is at it.
    next_attempt_at timestamptz not null,
    attempts integer not null default 0 check (attempts >= 0),
    delivered_at timestamptz,
    given_up_at timestamptz,
    last_error text,
    unique (endpoint_id, type, source, event_id, event_at),
    check (num_nonnulls(delivered_at, given_up_at) <= 1)
);
create index webhook_messages_waiting on webhook_messages (endpoint_id, next_attempt_at)
    where delivered_at is null and given_up_at is null;
create index webhook_messages_of_bar on webhook_messages (bar_id, created_at desc, id desc);
create index webhook_messages_of_endpoint on webhook_messages (endpoint_id, created_at desc, id desc);
create index webhook_messages_by_age on webhook_messages (created_at);

-- How far each kind of event has become messages. Numbers of transactions belong to a cluster: in another (a restored
-- copy) the mark begins anew.
create table webhook_marks (
    source text primary key check (source in ('payment', 'refund')),
    cluster bigint not null default 0,
    xact xid8 not null default '0',
    id bigint not null default 0,
    moved_at timestamptz
);
insert into webhook_marks (source) values ('payment'), ('refund');

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select, insert, update on api_key_windows to kaunta_app, kaunta_worker;
    grant select on webhook_endpoints, webhook_messages, webhook_marks to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert on webhook_endpoints, webhook_messages to kaunta_app, kaunta_worker;
    grant update on webhook_endpoints, webhook_messages, webhook_marks to kaunta_app, kaunta_worker;
    grant delete on webhook_messages to kaunta_worker;
end $$;
