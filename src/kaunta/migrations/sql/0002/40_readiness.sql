-- Ready for real money: what no program can look at is said by a person, by name, and grows old.

create table readiness_attestations (
    id bigint generated always as identity primary key,
    bar_id uuid not null references bars,
    item text not null check (length(item) between 1 and 64),
    -- False takes an earlier word back: the newest row of an item counts.
    stands boolean not null,
    account_id uuid not null references staff_accounts,
    note text not null check (length(note) between 1 and 500),
    at timestamptz not null
);
create index readiness_attestations_of_bar on readiness_attestations (bar_id, item, id desc);
create trigger readiness_attestations_append_only before update or delete on readiness_attestations
    for each row execute function never_again();
create trigger readiness_attestations_no_truncate before truncate on readiness_attestations
    for each statement execute function never_truncate();

-- Who stored a credential last: its rows lie among one for each time that it was opened.
create index audit_events_of_stored on audit_events (object_id, id) where action = 'credentials.stored';

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on readiness_attestations to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert on readiness_attestations to kaunta_app;
    grant usage on all sequences in schema public to kaunta_app, kaunta_worker;
end $$;
