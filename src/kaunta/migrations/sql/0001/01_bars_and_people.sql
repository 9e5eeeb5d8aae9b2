-- The tenant, its menu and tables, and the people who work there.

create table bars (
    id uuid primary key default gen_random_uuid(),
    slug text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9])*$' and length(slug) <= 60),
    name text not null check (length(name) between 1 and 120),
    location text,
    active boolean not null default true,
    timezone text not null default 'Africa/Nairobi',
    payment_cash_enabled boolean not null default true,
    payment_card_enabled boolean not null default false,
    -- Derived from mpesa_credentials.is_active; only bars.mpesa_switch writes it.
    mpesa_enabled boolean not null default false,
    mpesa_environment text not null default 'sandbox' check (mpesa_environment in ('sandbox', 'production')),
    -- The name the guest's phone shows in the prompt, as registered with Safaricom.
    mpesa_business_name text,
    -- An automatic stop stands beside the owner's flag, so that the owner's intent survives it.
    mpesa_suspended_reason text,
    mpesa_suspended_until timestamptz,
    last_tab_number integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table menu_items (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid not null references bars,
    category text not null,
    name text not null check (length(name) between 1 and 80),
    price integer not null check (price between 1 and 1000000),
    available boolean not null default true,
    position integer not null default 0,
    created_at timestamptz not null default now()
);
create index menu_items_of_bar on menu_items (bar_id, position, name);

-- What the card on the table says. The code is random, so that nobody can order from the street, and can be
-- replaced when a card has left the house.
create table table_codes (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid not null references bars,
    label text not null,
    code text not null unique check (length(code) >= 8),
    active boolean not null default true,
    created_at timestamptz not null default now(),
    rotated_at timestamptz
);
create index table_codes_of_bar on table_codes (bar_id);

create table staff_accounts (
    id uuid primary key default gen_random_uuid(),
    username text not null,
    name text not null,
    password_hash text not null,
    totp_secret_enc bytea,
    -- An installation flag: diagnosis, keys and backups, and no right to any bar's money.
    is_administrator boolean not null default false,
    active boolean not null default true,
    created_at timestamptz not null default now()
);
create unique index staff_accounts_username on staff_accounts (lower(username));

create table bar_members (
    account_id uuid not null references staff_accounts,
    bar_id uuid not null references bars,
    role text not null check (role in ('waiter', 'cashier', 'manager', 'owner')),
    created_at timestamptz not null default now(),
    primary key (account_id, bar_id)
);
create index bar_members_of_bar on bar_members (bar_id);

create table staff_sessions (
    token_hash bytea primary key,
    account_id uuid not null references staff_accounts,
    bar_id uuid references bars,
    csrf text not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null
);
create index staff_sessions_of_account on staff_sessions (account_id);

create table sign_in_attempts (
    id bigint generated always as identity primary key,
    username_hash bytea not null,
    source inet,
    succeeded boolean not null,
    at timestamptz not null
);
create index sign_in_attempts_by_username on sign_in_attempts (username_hash, at);

create table api_keys (
    id uuid primary key default gen_random_uuid(),
    key_hash bytea not null unique,
    label text not null,
    -- Null: the whole installation, for administrators' diagnosis; it opens no bar's money.
    bar_id uuid references bars,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index api_keys_of_bar on api_keys (bar_id);
