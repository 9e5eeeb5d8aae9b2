-- People: second factors, recovery codes, invitations, and how strongly a session has proved who sits there.

alter table staff_accounts
    -- The secret counts only once a code from it was entered; until then the phone may not have it.
    add column totp_confirmed_at timestamptz,
    -- The last accepted 30-second step: a code that was looked over a shoulder is not good twice.
    add column totp_last_step bigint,
    add column password_changed_at timestamptz;

create table staff_recovery_codes (
    account_id uuid not null references staff_accounts,
    code_hash bytea not null,
    created_at timestamptz not null,
    used_at timestamptz,
    primary key (account_id, code_hash)
);

create table staff_invitations (
    token_hash bytea primary key,
    bar_id uuid not null references bars,
    role text not null check (role in ('waiter', 'cashier', 'manager', 'owner')),
    name text not null,
    invited_by uuid not null references staff_accounts,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    accepted_at timestamptz,
    account_id uuid references staff_accounts,
    check ((accepted_at is null) = (account_id is null))
);
create index staff_invitations_of_bar on staff_invitations (bar_id, created_at);

alter table bars
    -- Above this many shillings a cashier does not decide alone how an unknown payment ended.
    add column resolve_limit integer not null default 5000 check (resolve_limit >= 0);

alter table staff_sessions
    -- The password was right and the code from the phone is still to come: this session opens nothing else.
    add column second_factor_due boolean not null default false,
    -- When password (and code) were last entered; what changes money's way asks for a recent one.
    add column proved_at timestamptz;
update staff_sessions set proved_at = created_at;
alter table staff_sessions alter column proved_at set not null;

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select, insert, update, delete on staff_recovery_codes, staff_invitations to kaunta_app;
end $$;
