-- `bench.bars` bars with a history of `bench.tabs` paid tabs: what the callback path finds in a database that has lived a while.
-- Guards and foreign keys are off for the filling only.

begin;
set local session_replication_role = replica;

insert into bars (slug, name, mpesa_enabled, mpesa_environment)
select 'bench-' || n, 'Bench ' || n, true, 'production' from generate_series(1, current_setting('bench.bars')::int) n;

insert into mpesa_credentials (tenant_id, environment, business_shortcode, consumer_key_enc, consumer_secret_enc,
                               passkey_enc, is_active)
select id, 'production', '600000', '\x00', '\x00', '\x00', true from bars;

insert into mpesa_credential_versions (credential_id, version, bar_id, environment, business_shortcode,
                                       consumer_key_enc, consumer_secret_enc, passkey_enc)
select id, 1, tenant_id, environment, business_shortcode, consumer_key_enc, consumer_secret_enc, passkey_enc
from mpesa_credentials;

create table bench_tabs (number bigint primary key, id uuid not null);
insert into bench_tabs select n, gen_random_uuid() from generate_series(0, current_setting('bench.tabs')::int - 1) n;

create temporary table bench_bars on commit drop as select row_number() over () - 1 as number, id from bars;

insert into tabs (id, bar_id, tab_number, ref, join_code, opened_by, opened_at)
select t.id, b.id, 1 + t.number / current_setting('bench.bars')::int, gen_random_uuid()::text, '0000', 'bench',
       now() - make_interval(secs => 90 * t.number)
from bench_tabs t join bench_bars b on b.number = t.number % current_setting('bench.bars')::int;

insert into tab_orders (id, bar_id, tab_id, order_number, items, total, status, initiated_by, idempotency_key,
                        created_at, confirmed_at)
select gen_random_uuid(), t.bar_id, t.id, o, '[{"name": "bench", "quantity": 1, "price": 20000}]', 20000, 'confirmed',
       'staff', t.id || '-' || o, t.opened_at, t.opened_at
from tabs t cross join generate_series(1, 2) o;

insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment, business_shortcode,
    reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash, status, started_by, push_started_at,
    sent_at, settled_at, checkout_request_id_enc, checkout_request_id_hash, receipt, amount_received, created_at,
    updated_at)
select gen_random_uuid(), t.bar_id, t.id, c.id, 1, 'production', '600000', 'H' || n.number, gen_random_uuid()::text,
       100, '\x00', sha256(t.id::text::bytea), sha256(('token' || n.number)::bytea), 'completed', 'guest', t.opened_at,
       t.opened_at, t.opened_at, '\x00', sha256(('checkout' || n.number)::bytea), 'H' || n.number, 100, t.opened_at,
       t.opened_at
from bench_tabs n join tabs t on t.id = n.id join mpesa_credentials c on c.tenant_id = t.bar_id;

insert into tab_payments (id, bar_id, tab_id, kind, method, amount, environment, transaction_id, receipt, recorded_by,
                          created_at)
select gen_random_uuid(), bar_id, tab_id, 'payment', 'mpesa', 100, environment, id, receipt, 'safaricom', created_at
from mpesa_transactions;

insert into mpesa_receipts (id, environment, receipt, bar_id, business_shortcode, amount, transaction_id, ledger_id,
                            first_channel, created_at)
select gen_random_uuid(), p.environment, p.receipt, p.bar_id, '600000', p.amount, p.transaction_id, p.id, 'stk',
       p.created_at
from tab_payments p;

insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor)
select created_at, bar_id, id, 'changed', s.went_from::transaction_status, s.went_to::transaction_status, 'bench'
from mpesa_transactions
cross join (values (null, 'pending'), ('pending', 'sent'), ('sent', 'completed')) as s (went_from, went_to);

-- The inbox's present month too is one that has been lived in: an empty one is planned for as if it stayed empty.
insert into mpesa_callbacks (received_at, channel, body_enc, processed_at, verdict, next_attempt_at)
select now(), 'stk', '\x00', now(), 'applied', now() from generate_series(1, current_setting('bench.tabs')::int);

commit;
