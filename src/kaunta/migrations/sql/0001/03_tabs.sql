-- Tabs, orders, and the ledger that counts.

create table tabs (
    id uuid primary key,
    bar_id uuid not null references bars,
    tab_number integer not null,
    -- Possession of this reference is a guest's right to the tab.
    ref text not null unique check (length(ref) >= 20),
    table_code_id uuid references table_codes,
    -- Four digits a second device types to join.
    join_code text not null check (join_code ~ '^[0-9]{4}$'),
    status text not null default 'open' check (status in ('open', 'overdue', 'closed')),
    opened_by text not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    closed_by text,
    moved_to_overdue_at timestamptz,
    unique (bar_id, tab_number),
    check ((status = 'closed') = (closed_at is not null))
);
create index tabs_of_bar on tabs (bar_id, opened_at desc) where status <> 'closed';
create index tabs_at_table on tabs (table_code_id) where status <> 'closed';

create table guest_devices (
    device_hash bytea not null,
    tab_id uuid not null references tabs,
    bar_id uuid not null references bars,
    joined_at timestamptz not null,
    primary key (device_hash, tab_id)
);
create index guest_devices_of_tab on guest_devices (tab_id);
create index guest_devices_of_bar on guest_devices (bar_id);

create table tab_orders (
    id uuid primary key,
    bar_id uuid not null references bars,
    tab_id uuid not null references tabs,
    order_number integer not null,
    -- [{"item_id", "name", "quantity", "price"}]: a snapshot, whole shillings.
    items jsonb not null check (jsonb_typeof(items) = 'array' and jsonb_array_length(items) between 1 and 60),
    total integer not null check (total > 0),
    status text not null default 'pending' check (status in ('pending', 'confirmed', 'cancelled')),
    initiated_by text not null check (initiated_by in ('customer', 'staff')),
    idempotency_key text not null,
    decided_by text,
    created_at timestamptz not null,
    confirmed_at timestamptz,
    cancelled_at timestamptz,
    unique (tab_id, order_number),
    unique (bar_id, idempotency_key),
    check ((status = 'confirmed') = (confirmed_at is not null)),
    check ((status = 'cancelled') = (cancelled_at is not null))
);
create index tab_orders_pending on tab_orders (bar_id, created_at) where status = 'pending';

-- The ledger. A row is a fact: written once, corrected by another row.
-- Signs: a payment adds, a reversal or refund takes away, a correction does either; a write-off lowers what is owed
-- without money. Balance = confirmed orders − Σ amount.
create table tab_payments (
    id uuid primary key,
    bar_id uuid not null references bars,
    tab_id uuid not null references tabs,
    kind text not null check (kind in ('payment', 'reversal', 'correction', 'refund', 'write_off')),
    method text check (method in ('mpesa', 'cash', 'card')),
    amount integer not null check (amount <> 0),
    environment text check (environment in ('sandbox', 'production')),
    transaction_id uuid,
    receipt text,
    corrects uuid references tab_payments,
    reason text,
    recorded_by text not null,
    idempotency_key text,
    created_at timestamptz not null,
    check (kind not in ('payment', 'write_off') or amount > 0),
    check (kind not in ('reversal', 'refund') or amount < 0),
    check ((kind = 'write_off') = (method is null)),
    check (coalesce(method = 'mpesa', false) = (environment is not null)),
    -- M-Pesa money is booked for a transaction of ours or for a proven receipt, never on somebody's word.
    check (method is distinct from 'mpesa' or transaction_id is not null or receipt is not null)
);
create unique index tab_payments_one_credit_a_receipt on tab_payments (environment, receipt)
    where kind = 'payment' and receipt is not null;
create unique index tab_payments_one_receiptless_credit on tab_payments (transaction_id)
    where kind = 'payment' and receipt is null;
create unique index tab_payments_once on tab_payments (tab_id, idempotency_key);
create index tab_payments_of_tab on tab_payments (tab_id, created_at);
create index tab_payments_of_transaction on tab_payments (transaction_id);
create index tab_payments_of_bar on tab_payments (bar_id, created_at);
