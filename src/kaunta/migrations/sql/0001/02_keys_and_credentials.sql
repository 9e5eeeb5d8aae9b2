-- Keys for personal data, and each bar's Daraja credentials.

-- One key a bar and month for personal data, wrapped under the keyring: rotation re-wraps this row, retention and
-- erasure destroy it. The index key (for keyed look-ups of phones and ids) is the one row of its purpose.
create table data_keys (
    id uuid primary key,
    purpose text not null check (purpose in ('personal', 'index')),
    bar_id uuid references bars,
    month date,
    wrapped bytea,
    created_at timestamptz not null default now(),
    destroyed_at timestamptz,
    check ((purpose = 'index') = (month is null)),
    check ((wrapped is null) = (destroyed_at is not null))
);
create unique index data_keys_one_a_month on data_keys (purpose, bar_id, month) nulls not distinct;
create index data_keys_of_bar on data_keys (bar_id);

create table mpesa_credentials (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    business_shortcode text not null,
    -- Set for a till: PartyB of the push. BusinessShortCode is then the store number.
    till_number text,
    consumer_key_enc bytea not null,
    consumer_secret_enc bytea not null,
    passkey_enc bytea not null,
    initiator_name text,
    security_credential_enc bytea,
    is_active boolean not null default false,
    version integer not null default 1 check (version >= 1),
    -- A test's outcome belongs to the version it tested and is void for the next.
    tested_version integer,
    test_status text not null default 'pending' check (test_status in ('pending', 'success', 'failed')),
    tested_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (tenant_id, environment)
);

-- Every version ever stored: a payment is queried with the credentials it was pushed with.
create table mpesa_credential_versions (
    credential_id uuid not null references mpesa_credentials,
    version integer not null,
    bar_id uuid not null references bars,
    environment text not null,
    business_shortcode text not null,
    till_number text,
    consumer_key_enc bytea not null,
    consumer_secret_enc bytea not null,
    passkey_enc bytea not null,
    created_at timestamptz not null default now(),
    primary key (credential_id, version)
);
create index mpesa_credential_versions_of_bar on mpesa_credential_versions (bar_id);

-- How many questions Daraja may still be asked with a credential: a bucket that refills, narrowed by its 429s.
create table daraja_budgets (
    credential_id uuid primary key references mpesa_credentials,
    bar_id uuid not null references bars,
    tokens double precision not null,
    per_minute double precision not null check (per_minute > 0),
    refilled_at timestamptz not null
);
create index daraja_budgets_of_bar on daraja_budgets (bar_id);
