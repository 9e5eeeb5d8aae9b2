-- The old product's database, as far as bars, credentials and payments go: what its production dump had, quirks
-- included. Written from its description; only the structure, no row.

create schema auth;
create table auth.users (id uuid primary key default gen_random_uuid());
create function auth.uid() returns uuid language sql stable as
    $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;

create function update_updated_at_column() returns trigger language plpgsql as $$
begin
    new.updated_at = now();
    return new;
end $$;

create table bars (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    location text,
    phone text,
    email text,
    slug text unique,
    active boolean default true,
    timezone text default 'Africa/Nairobi',
    business_hours_mode text default 'simple',
    business_hours_simple jsonb,
    alert_sound_enabled boolean default true,
    mpesa_enabled boolean default false,
    payment_cash_enabled boolean default true,
    payment_card_enabled boolean default false,
    card_provider text,
    mpesa_environment varchar(20) default 'sandbox' check (mpesa_environment in ('sandbox', 'production')),
    mpesa_business_shortcode varchar(20),
    mpesa_consumer_key_encrypted text,
    mpesa_consumer_secret_encrypted text,
    mpesa_passkey_encrypted text,
    mpesa_setup_completed boolean default false,
    mpesa_last_test_at timestamptz,
    mpesa_test_status varchar(20) default 'pending' check (mpesa_test_status in ('pending', 'success', 'failed')),
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create trigger update_bars_updated_at before update on bars
    for each row execute function update_updated_at_column();

create table user_bars (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users on delete cascade,
    bar_id uuid not null references bars on delete cascade,
    role text default 'staff' check (role in ('owner', 'manager', 'staff')),
    unique (user_id, bar_id)
);

create table mpesa_credentials (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references bars on delete cascade,
    environment text not null check (environment in ('sandbox', 'production')),
    business_shortcode text not null,
    consumer_key_enc bytea not null,
    consumer_secret_enc bytea not null,
    passkey_enc bytea not null,
    callback_url text not null,
    timeout_url text,
    initiator_name text,
    security_credential_enc bytea,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    unique (tenant_id, environment)
);
create index idx_mpesa_credentials_tenant on mpesa_credentials (tenant_id);
create index idx_mpesa_credentials_environment on mpesa_credentials (environment);
create index idx_mpesa_credentials_active on mpesa_credentials (is_active);
create trigger update_mpesa_credentials_updated_at before update on mpesa_credentials
    for each row execute function update_updated_at_column();

create table mpesa_credential_events (
    id uuid primary key default gen_random_uuid(),
    credential_id uuid not null references mpesa_credentials on delete cascade,
    tenant_id uuid not null references bars on delete cascade,
    event_type text not null check (event_type in ('created', 'updated', 'tested', 'rotated', 'deleted')),
    event_data jsonb,
    user_id uuid references auth.users,
    created_at timestamptz default now()
);

alter table mpesa_credentials enable row level security;
create policy "No direct read" on mpesa_credentials for select using (false);
create policy "Members insert" on mpesa_credentials for insert with check (
    exists (select from user_bars u where u.bar_id = tenant_id and u.user_id = auth.uid()));
create policy "Members update" on mpesa_credentials for update using (
    exists (select from user_bars u where u.bar_id = tenant_id and u.user_id = auth.uid()));
create policy "Members delete" on mpesa_credentials for delete using (
    exists (select from user_bars u where u.bar_id = tenant_id and u.user_id = auth.uid()));
alter table mpesa_credential_events enable row level security;
alter table bars enable row level security;
create policy "Everyone sees active bars" on bars for select using (active);

-- Production's enum never got `timeout`, though the code wrote it.
create type transaction_status as enum ('pending', 'sent', 'completed', 'failed', 'cancelled');

create table tabs (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid not null references bars on delete cascade,
    tab_number integer,
    owner_identifier text,
    status text default 'open' check (status in ('open', 'overdue', 'closed')),
    closed_by text check (closed_by in ('customer', 'staff')),
    notes text,
    opened_at timestamptz default now(),
    closed_at timestamptz,
    unique (bar_id, tab_number)
);

create table tab_payments (
    id uuid primary key default gen_random_uuid(),
    tab_id uuid not null references tabs on delete cascade,
    amount numeric(10, 2) not null,
    method text not null check (method in ('mpesa', 'cash', 'card')),
    status text default 'pending' check (status in ('pending', 'success', 'failed')),
    reference text,
    metadata jsonb,
    created_at timestamptz default now()
);

create table mpesa_transactions (
    id uuid primary key default gen_random_uuid(),
    tab_id uuid not null references tabs,
    customer_id text,
    phone_number text not null,
    amount numeric(10, 2) not null check (amount > 0),
    currency text default 'KES' check (currency = 'KES'),
    status transaction_status not null default 'pending',
    checkout_request_id text unique,
    merchant_request_id text,
    mpesa_receipt_number text unique,
    result_code integer,
    failure_reason text,
    environment text not null check (environment in ('sandbox', 'production')),
    callback_data jsonb,
    tab_payment_id uuid references tab_payments on delete set null,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
