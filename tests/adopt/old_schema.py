"""The old product's database in its three generations, quirks included, written from its description.

1  credentials in `bars`, three names for one flag, transactions that lead to a tab by an order
2  a table of credentials, transactions by tab, an enum with or without `timeout`
3  no transactions any more: the ledger itself carries Safaricom's ids
"""

ROLES = ("anon", "authenticated", "service_role")

SUPABASE = """
create schema auth;
create table auth.users (
    id uuid primary key default gen_random_uuid(),
    email text unique,
    encrypted_password text,
    raw_user_meta_data jsonb default '{}'
);
create function auth.uid() returns uuid language sql stable as
    $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
grant usage on schema public, auth to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
"""

COMMON = """
create function update_updated_at_column() returns trigger language plpgsql as $$
begin
    new.updated_at = now();
    return new;
end $$;

create table bars (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    location text,
    slug text unique,
    active boolean default true,
    timezone text default 'Africa/Nairobi',
    alert_sound_enabled boolean default true,
    {bar_columns}
    mpesa_setup_completed boolean default false,
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
create table suppliers (id uuid primary key default gen_random_uuid(), name text);
create table products (
    id uuid primary key default gen_random_uuid(),
    supplier_id uuid references suppliers,
    name text not null,
    category text
);
create table custom_products (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid references bars on delete cascade,
    name text not null,
    category text
);
create table bar_products (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid not null references bars on delete cascade,
    product_id uuid references products,
    custom_product_id uuid references custom_products,
    sale_price numeric(10, 2) not null,
    active boolean default true,
    created_at timestamptz default now(),
    check ((product_id is null) <> (custom_product_id is null))
);
create table devices (
    id bigserial primary key,
    device_id text unique not null,
    last_bar_id uuid references bars
);
create table audit_logs (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid references bars,
    action text not null,
    details jsonb,
    created_at timestamptz default now()
);
create type rejection_reason as enum ('wrong_items', 'already_ordered', 'change_mind');
create table tabs (
    id uuid primary key default gen_random_uuid(),
    bar_id uuid not null references bars on delete cascade,
    tab_number integer,
    owner_identifier text,
    status text default 'open' check (status in ('open', 'overdue', 'closed')),
    opened_at timestamptz default now(),
    closed_at timestamptz,
    closed_by text check (closed_by in ('customer', 'staff')),
    notes text,
    moved_to_overdue_at timestamptz,
    unique (bar_id, tab_number)
);
create function set_tab_number() returns trigger language plpgsql as $$
begin
    if new.tab_number is null then
        select coalesce(max(tab_number), 0) + 1 into new.tab_number from tabs where bar_id = new.bar_id;
    end if;
    return new;
end $$;
create trigger trigger_set_tab_number before insert on tabs for each row execute function set_tab_number();
create table tab_orders (
    id uuid primary key default gen_random_uuid(),
    tab_id uuid not null references tabs on delete cascade,
    order_number integer,
    items jsonb not null,
    total numeric(10, 2) not null,
    status text default 'pending' check (status in ('pending', 'confirmed', 'cancelled')),
    initiated_by text default 'customer' check (initiated_by in ('customer', 'staff')),
    rejection rejection_reason,
    created_at timestamptz default now(),
    confirmed_at timestamptz,
    cancelled_at timestamptz
);
create table tab_payments (
    id uuid primary key default gen_random_uuid(),
    tab_id uuid not null references tabs on delete cascade,
    amount numeric(10, 2) not null,
    method text not null check (method in ('mpesa', 'cash', 'card')),
    status text default 'pending' check (status in ({payment_states})),
    reference text,
    metadata jsonb,
    {payment_columns}
    created_at timestamptz default now()
);
create index idx_tab_payments_tab on tab_payments (tab_id);
create index idx_tab_orders_tab on tab_orders (tab_id);
-- Joined before it is summed: two orders and two payments count as four of each.
create view tab_balances as
    select t.id as tab_id, t.bar_id,
           coalesce(sum(o.total) filter (where o.status = 'confirmed'), 0)
           - coalesce(sum(p.amount) filter (where p.status = 'success'), 0) as balance
    from tabs t left join tab_orders o on o.tab_id = t.id left join tab_payments p on p.tab_id = t.id
    group by t.id;
create function auto_close_overdue_tab() returns trigger language plpgsql as $$
begin
    update tabs set status = 'closed', closed_at = now(), closed_by = 'staff'
    where id = new.tab_id and status = 'overdue'
      and (select balance from tab_balances where tab_id = new.tab_id) <= 0;
    return null;
end $$;
create trigger trigger_auto_close_overdue_tab after insert on tab_payments
    for each row when (new.status = 'success') execute function auto_close_overdue_tab();

alter table bars enable row level security;
create policy "Everyone sees active bars" on bars for select using (active);
alter table tabs enable row level security;
create policy "Own bar" on tabs using (bar_id::text = current_setting('app.current_bar_id', true));
alter table tab_payments enable row level security;
create policy "Payments of own bar" on tab_payments for select using (
    exists (select from tabs t where t.id = tab_id and t.bar_id::text = current_setting('app.current_bar_id', true)));
grant all on all tables in schema public to anon, authenticated, service_role;
"""

TYPE = "create type transaction_status as enum ('pending', 'sent', 'completed', 'failed', 'cancelled'{timeout});"

TRANSACTIONS = """
create table mpesa_transactions (
    id uuid primary key default gen_random_uuid(),
    {way} uuid not null references {target},
    customer_id text,
    phone_number text not null,
    amount numeric(10, 2) not null check (amount > 0),
    currency text default 'KES' check (currency = 'KES'),
    status transaction_status not null default 'pending',
    checkout_request_id text unique,
    merchant_request_id text,
    mpesa_receipt_number text unique,
    transaction_date timestamptz,
    failure_reason text,
    result_code integer,
    environment text not null check (environment in ('sandbox', 'production')),
    callback_data jsonb,
    tab_payment_id uuid references tab_payments on delete set null,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);
create index idx_mpesa_transactions_way on mpesa_transactions ({way});
create function validate_transition(old_status transaction_status, new_status transaction_status) returns boolean
    language sql immutable as $$ select old_status <> 'completed' or new_status = 'completed' $$;
create function complete_mpesa_payment(p_id uuid, p_receipt text) returns void language plpgsql as $$
begin
    if (select status from mpesa_transactions where id = p_id) <> 'sent' then
        raise exception 'not sent';
    end if;
    update mpesa_transactions set status = 'completed', mpesa_receipt_number = p_receipt where id = p_id;
end $$;
"""

CREDENTIALS = """
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
create trigger update_mpesa_credentials_updated_at before update on mpesa_credentials
    for each row execute function update_updated_at_column();
create table mpesa_credential_events (
    id uuid primary key default gen_random_uuid(),
    credential_id uuid not null references mpesa_credentials on delete cascade,
    tenant_id uuid not null references bars on delete cascade,
    event_type text not null,
    user_id uuid references auth.users,
    created_at timestamptz default now()
);
alter table mpesa_credentials enable row level security;
create policy "No direct read" on mpesa_credentials for select using (false);
create policy "Members update" on mpesa_credentials for update using (
    exists (select from user_bars u where u.bar_id = tenant_id and u.user_id = auth.uid()));
"""

IN_BARS = """
    mpesa_business_shortcode varchar(20),
    mpesa_consumer_key_encrypted {type},
    mpesa_consumer_secret_encrypted {type},
    mpesa_passkey_encrypted {type},
"""
FLAGS = """
    mpesa_enabled boolean default false,
    payment_cash_enabled boolean default true,
    payment_card_enabled boolean default false,
    mpesa_environment varchar(20) default 'sandbox' check (mpesa_environment in ('sandbox', 'production')),
"""
FIRST_FLAGS = """
    payment_mpesa_enabled boolean default true,
    cash_enabled boolean default true,
    card_enabled boolean default true,
    mpesa_till_number text,
    mpesa_environment varchar(20) default 'sandbox',
"""
SAFARICOMS_IDS = """
    checkout_request_id text unique deferrable initially deferred,
    mpesa_receipt text unique deferrable initially deferred,
"""


def schema_of(generation: int, *, timeout: bool = False) -> str:
    """The whole schema's SQL."""
    states = "'pending', 'success', 'failed'" + (", 'initiated', 'stk_sent'" if generation == 3 else "")
    columns = {
        1: FIRST_FLAGS + IN_BARS.format(type="text"),
        2: FLAGS,
        3: FLAGS + IN_BARS.format(type="bytea"),
    }[generation]
    common = COMMON.replace("{bar_columns}", columns).replace("{payment_states}", states)
    parts = [SUPABASE, common.replace("{payment_columns}", SAFARICOMS_IDS if generation == 3 else "")]
    if generation != 3:
        way, target = ("order_id", "tab_orders") if generation == 1 else ("tab_id", "tabs")
        parts.append(TYPE.replace("{timeout}", ", 'timeout'" if timeout else ""))
        parts.append(TRANSACTIONS.replace("{way}", way).replace("{target}", target))
    if generation == 2:
        parts.append(CREDENTIALS)
    return "\n".join(parts)
