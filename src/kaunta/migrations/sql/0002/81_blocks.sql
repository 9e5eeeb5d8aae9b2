-- Abuse: what came of each wish to be prompted, by which limits and suspicion are counted, and the blocks that follow.

-- One row a wish of a guest's: the payment it began, or why it was refused. Staff's prompts are not among them.
create table payment_tries (
    id bigint generated always as identity primary key,
    bar_id uuid not null references bars,
    at timestamptz not null,
    -- Null: not known.
    source inet,
    -- Null: what was typed is no number.
    phone_hash bytea,
    transaction_id uuid references mpesa_transactions,
    -- An error's code.
    refused text,
    check ((transaction_id is null) <> (refused is null))
);
create index payment_tries_of_phone on payment_tries (bar_id, phone_hash, at) where phone_hash is not null;
create index payment_tries_of_source on payment_tries (source, at) where source is not null;
create index payment_tries_of_bar on payment_tries (bar_id, at);
create index payment_tries_of_transaction on payment_tries (transaction_id) where transaction_id is not null;
create index payment_tries_by_age on payment_tries (at);

-- A phone or an address that gets no prompts at a bar for a while. It may pay at the till all the same.
create table prompt_blocks (
    id uuid primary key,
    bar_id uuid not null references bars,
    phone_hash bytea,
    source inet,
    -- What the suspicion came to, and why; none where a person blocked.
    points integer not null check (points >= 0),
    reason text not null check (length(reason) between 1 and 500),
    blocked_by text not null,
    blocked_at timestamptz not null,
    until timestamptz not null check (until > blocked_at),
    lifted_by text,
    lifted_at timestamptz,
    lift_reason text,
    check ((phone_hash is null) <> (source is null)),
    check ((lifted_by is null) = (lifted_at is null) and (lift_reason is null) = (lifted_at is null))
);
create index prompt_blocks_of_bar on prompt_blocks (bar_id, blocked_at desc);
create index prompt_blocks_of_phone on prompt_blocks (bar_id, phone_hash, until) where phone_hash is not null;
create index prompt_blocks_of_source on prompt_blocks (bar_id, source, until) where source is not null;
create index prompt_blocks_by_end on prompt_blocks (until);

-- A browser that somebody signed in with before has its tries counted apart, so that strangers behind the same address
-- cannot use them up.
alter table sign_in_attempts add column device_hash bytea;
do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on payment_tries, prompt_blocks to kaunta_app, kaunta_worker, kaunta_reader;
    grant usage on all sequences in schema public to kaunta_app, kaunta_worker;
    grant insert on payment_tries, prompt_blocks to kaunta_app, kaunta_worker;
    grant update on prompt_blocks to kaunta_app;
    grant delete on payment_tries, prompt_blocks to kaunta_worker;
end $$;
