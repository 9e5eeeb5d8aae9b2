-- Rights that were missing. Without the first, the application's role could begin no payment; the others are what a
-- backup by pg_dump reads under the worker's: every table, and where the sequences stand.

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    -- A key that has expired gives way to a new use of it.
    grant update on idempotency_keys to kaunta_app;
    grant select on staff_recovery_codes, staff_invitations, saved_views to kaunta_worker;
    grant select on all sequences in schema public to kaunta_worker;
end $$;
