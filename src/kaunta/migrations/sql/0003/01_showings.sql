-- What the guest's page of a payment has said: each state once, when it was first answered with it. In a dispute staff
-- need to know when the phone in front of them said "paid".

-- No foreign keys: what a guest reads must not hold a payment's row, nor this migration the payments' table. A payment is
-- never deleted.
create table payment_showings (
    bar_id uuid not null,
    transaction_id uuid not null,
    status transaction_status not null,
    at timestamptz not null,
    primary key (transaction_id, status)
);
-- What is forgotten by its age.
create index payment_showings_by_age on payment_showings using brin (at);
create trigger payment_showings_stay before update on payment_showings for each row execute function never_again();
create trigger payment_showings_no_truncate before truncate on payment_showings
    for each statement execute function never_truncate();

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on payment_showings to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert on payment_showings to kaunta_app;
    grant delete on payment_showings to kaunta_worker;
end $$;
