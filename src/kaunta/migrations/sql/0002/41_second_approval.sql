-- How an unknown payment ended, as one person proposes it and another agrees: above a limit nobody decides alone.

alter table bars
    -- Above this many shillings nobody at all decides alone how an unknown payment ended.
    add column resolve_alone_limit integer not null default 20000 check (resolve_alone_limit >= 0);

create table resolution_proposals (
    id uuid primary key,
    bar_id uuid not null references bars,
    transaction_id uuid not null references mpesa_transactions,
    paid boolean not null,
    receipt text check (receipt = upper(receipt)),
    reason text not null check (length(reason) between 3 and 500),
    evidence text not null check (length(evidence) between 3 and 500),
    proposed_by text not null,
    state text not null default 'open' check (state in ('open', 'approved', 'declined', 'expired')),
    decided_by text,
    decided_at timestamptz,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    check ((state = 'open') = (decided_at is null)),
    check ((decided_at is null) = (decided_by is null)),
    -- Whoever proposes may take it back, and never agrees to it.
    check (state <> 'approved' or decided_by <> proposed_by),
    check (paid or receipt is null)
);
create unique index resolution_proposals_one_open on resolution_proposals (transaction_id) where state = 'open';
create index resolution_proposals_of_transaction on resolution_proposals (transaction_id, created_at);
create index resolution_proposals_of_bar on resolution_proposals (bar_id, created_at desc);
create index resolution_proposals_due on resolution_proposals (expires_at) where state = 'open';

create function resolution_proposals_guard() returns trigger language plpgsql as $$
begin
    if old.state <> 'open'
       or (new.id, new.bar_id, new.transaction_id, new.paid, new.receipt, new.reason, new.evidence, new.proposed_by,
           new.created_at, new.expires_at)
          is distinct from
          (old.id, old.bar_id, old.transaction_id, old.paid, old.receipt, old.reason, old.evidence, old.proposed_by,
           old.created_at, old.expires_at) then
        raise exception 'what was proposed cannot change, and is decided once'
            using errcode = 'check_violation', constraint = 'resolution_proposals_immutable';
    end if;
    return new;
end $$;
create trigger resolution_proposals_guard before update on resolution_proposals
    for each row execute function resolution_proposals_guard();
create trigger resolution_proposals_stay before delete on resolution_proposals
    for each row execute function never_again();
create trigger resolution_proposals_no_truncate before truncate on resolution_proposals
    for each statement execute function never_truncate();

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on resolution_proposals to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert, update on resolution_proposals to kaunta_app, kaunta_worker;
end $$;
