-- Alerts that reach people: what they were told about a problem, and what is still to be sent.

-- One spell of trouble of a kind with a subject. It may hold several problems: what closes and opens again a moment
-- later was never over for who was told of it.
create table alerts (
    id uuid primary key default gen_random_uuid(),
    problem_id uuid not null references problems,
    bar_id uuid references bars,
    kind text not null,
    subject text not null,
    severity text not null check (severity in ('critical', 'error', 'warning', 'info')),
    began_at timestamptz not null,
    -- How often it opened.
    problems integer not null default 1 check (problems > 0),
    -- How far it has been told: 0 to nobody, 1 to the first, further each time nobody took it up.
    told_level smallint not null default 0 check (told_level >= 0),
    ended_at timestamptz,
    end_told_at timestamptz check (end_told_at is null or ended_at is not null)
);
create unique index alerts_one_going_on on alerts (kind, subject) where ended_at is null;
create index alerts_end_untold on alerts (ended_at) where ended_at is not null and end_told_at is null;
create index alerts_of_problem on alerts (problem_id);

-- What is sent over one channel: it may tell of several alerts of a kind, of several bars.
create table alert_messages (
    -- Travels with the message: who gets it twice knows by it.
    id uuid primary key,
    event text not null check (event in ('opened', 'escalated', 'cleared', 'digest')),
    kind text,
    level smallint not null check (level > 0),
    channel text not null check (channel in ('email', 'webhook', 'sms')),
    alert_ids uuid[] not null check (cardinality(alert_ids) > 0),
    created_at timestamptz not null,
    -- When to try (again); pushed ahead while somebody is at it.
    next_attempt_at timestamptz not null,
    attempts integer not null default 0,
    sent_at timestamptz,
    -- Over before it was sent, or tried in vain often enough.
    dropped_at timestamptz,
    given_up_at timestamptz,
    last_error text,
    check (num_nonnulls(sent_at, dropped_at, given_up_at) <= 1)
);
create index alert_messages_waiting on alert_messages (next_attempt_at)
    where sent_at is null and dropped_at is null and given_up_at is null;
create index alert_messages_of_alerts on alert_messages using gin (alert_ids);
create index alert_messages_newest on alert_messages (event, kind, created_at desc);

-- Who looks for unusual access looks by action and time.
create index audit_events_of_credentials on audit_events (at) where action like 'credentials.%' or action like 'initiator.%';

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on alerts, alert_messages to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert, update on alerts, alert_messages to kaunta_app, kaunta_worker;
    grant delete on alerts, alert_messages to kaunta_worker;
end $$;
