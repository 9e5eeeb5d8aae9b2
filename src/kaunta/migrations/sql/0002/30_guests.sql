-- Guests: how a second phone joins a tab, which payments a phone started, and how a tab is split.

-- Four digits can be guessed. Each try is a row, so that guesses are counted wherever they arrive.
create table join_attempts (
    id bigint generated always as identity primary key,
    bar_id uuid not null references bars,
    table_code_id uuid not null references table_codes,
    device_hash bytea not null,
    succeeded boolean not null,
    at timestamptz not null
);
create index join_attempts_missed_at_table on join_attempts (table_code_id, at) where not succeeded;
create index join_attempts_missed_by_device on join_attempts (device_hash, at) where not succeeded;
create index join_attempts_of_bar on join_attempts (bar_id);

-- The phone that pressed Pay finds its payment again, also when it never heard our answer.
create table guest_payments (
    device_hash bytea not null,
    transaction_id uuid not null references mpesa_transactions,
    bar_id uuid not null references bars,
    at timestamptz not null,
    primary key (device_hash, transaction_id)
);
create index guest_payments_of_transaction on guest_payments (transaction_id);
create index guest_payments_of_bar on guest_payments (bar_id);

-- A tab that its guests share: between how many, and what was free to pay and ordered when they said so.
create table tab_splits (
    tab_id uuid primary key references tabs,
    bar_id uuid not null references bars,
    people integer not null check (people between 2 and 30),
    total integer not null check (total >= people),
    ordered integer not null,
    at timestamptz not null
);
create index tab_splits_of_bar on tab_splits (bar_id);

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on join_attempts, guest_payments, tab_splits to kaunta_app, kaunta_worker, kaunta_reader;
    grant usage on all sequences in schema public to kaunta_app, kaunta_worker;
    grant insert on join_attempts, guest_payments to kaunta_app;
    grant insert, update, delete on tab_splits to kaunta_app;
    grant delete on join_attempts to kaunta_worker;
end $$;
