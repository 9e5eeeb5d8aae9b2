-- Roles by least privilege. They own nothing and cannot log in; an operator grants one to the login that runs a
-- process. Where the migrating login may not create roles (many managed databases), they are left out.

do $$
declare
    role text;
begin
    foreach role in array array['kaunta_app', 'kaunta_worker', 'kaunta_reader'] loop
        begin
            execute format('create role %I nologin', role);
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise notice 'role % not created: this login may not create roles', role;
        end;
    end loop;
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;

    grant select on all tables in schema public to kaunta_app, kaunta_worker, kaunta_reader;
    -- Neither hashes of passwords and keys nor wrapped keys are anybody's report.
    revoke select on staff_accounts, staff_sessions, api_keys, data_keys from kaunta_reader;

    grant usage on all sequences in schema public to kaunta_app, kaunta_worker;
    grant insert on payment_events, audit_events, tab_payments, mpesa_receipts, mpesa_receipt_sightings,
        mpesa_transactions, mpesa_callbacks, idempotency_keys, receipt_claims, daraja_exchanges, problems,
        data_keys, worker_heartbeats, daraja_budgets, mpesa_credential_versions to kaunta_app, kaunta_worker;
    grant update (receipt) on tab_payments to kaunta_app, kaunta_worker;
    grant update on mpesa_transactions, mpesa_receipts, mpesa_callbacks, receipt_claims, problems, tabs, bars,
        mpesa_credentials, worker_heartbeats, daraja_budgets, data_keys to kaunta_app, kaunta_worker;

    grant insert, update on bars, menu_items, table_codes, tabs, tab_orders, staff_accounts, bar_members,
        staff_sessions, api_keys, mpesa_credentials, guest_devices, sign_in_attempts to kaunta_app;
    grant delete on staff_sessions, guest_devices, bar_members to kaunta_app;
    grant delete on idempotency_keys, staff_sessions, sign_in_attempts, daraja_exchanges to kaunta_worker;
end $$;
