-- A stretch of one bar's past: its tabs from `fill.first` to `fill.last` with ten payments each, 3,000 a day; in all there
-- are `fill.payments`. Keys grow with the rows, so that unique indexes grow at their end. Guards are off for the filling.

set session_replication_role = replica;

create function pg_temp.n() returns bigint stable language sql as $$ select current_setting('fill.payments')::bigint $$;
create function pg_temp.first() returns bigint stable language sql as $$ select current_setting('fill.first')::bigint $$;
create function pg_temp.last() returns bigint stable language sql as $$ select current_setting('fill.last')::bigint $$;
create function pg_temp.k(number bigint) returns uuid immutable language sql as
    $$ select lpad(to_hex(number), 32, '0')::uuid $$;
create function pg_temp.moment(number bigint) returns timestamptz stable language sql as
    $$ select now() - interval '1 minute' - (pg_temp.n() - number) * interval '28.8 seconds' $$;

insert into tabs (id, bar_id, tab_number, ref, join_code, status, opened_by, opened_at, closed_at)
select pg_temp.k(t), current_setting('fill.bar')::uuid, 1000 + t, 'tab' || lpad(t::text, 20, '0'), '0000', 'closed',
       'guest', pg_temp.moment(t * 10), pg_temp.moment(t * 10)
from generate_series(pg_temp.first(), pg_temp.last()) t;
insert into tab_orders (id, bar_id, tab_id, order_number, items, total, status, initiated_by, idempotency_key, created_at,
                        confirmed_at)
select t.id, t.bar_id, t.id, 1, '[{"name": "Drink", "quantity": 10, "price": 300}]', 3000, 'confirmed', 'customer',
       t.ref, t.opened_at, t.opened_at
from tabs t where t.tab_number between 1000 + pg_temp.first() and 1000 + pg_temp.last();
insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment, business_shortcode,
    reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash, status, irregularities, started_by,
    push_started_at, sent_at, settled_at, merchant_request_id, checkout_request_id_hash, result_code, receipt,
    transaction_date, amount_received, created_at, updated_at)
select pg_temp.k(p), current_setting('fill.bar')::uuid, pg_temp.k(1 + (p - 1) / 10), pg_temp.k(1), 1, 'sandbox', '174379',
       'K' || lpad(p::text, 9, '0'), 'receipt' || lpad(p::text, 20, '0'), 300,
       decode(current_setting('fill.phone'), 'hex'), int8send(p / 10), int8send(p), s.status::transaction_status,
       case when p % 200 = 0 then array['late'] else '{}' end, 'guest', m, m,
       case when s.status <> 'timeout' then m end, 'm' || p, int8send(p),
       case s.status when 'completed' then '0' when 'failed' then '1' when 'cancelled' then '1032' end,
       case s.status when 'completed' then 'R' || p end, m, case s.status when 'completed' then 300 end, m, m
from generate_series(10 * pg_temp.first() - 9, 10 * pg_temp.last()) p,
     lateral (select pg_temp.moment(p) as m) at,
     lateral (select case when p % 20 = 7 then 'failed' when p % 20 = 13 then 'cancelled'
                          when p % 500 = 3 then 'timeout' else 'completed' end as status) s;
insert into tab_payments (id, bar_id, tab_id, kind, method, amount, environment, transaction_id, receipt, recorded_by,
                          created_at)
select id, bar_id, tab_id, 'payment', 'mpesa', amount, environment, id, receipt, 'safaricom', created_at
from mpesa_transactions
where status = 'completed' and id between pg_temp.k(10 * pg_temp.first() - 9) and pg_temp.k(10 * pg_temp.last());
