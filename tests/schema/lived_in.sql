-- A house that has been lived in for half a year: as many payments as `fill.payments` says, and what goes with them.
-- Ids follow from numbers, so that rows find each other without a join; guards and foreign keys are off for the filling.

set session_replication_role = replica;
set work_mem = '256MB';
set maintenance_work_mem = '512MB';

create function pg_temp.n() returns bigint stable language sql as $$ select current_setting('fill.payments')::bigint $$;
create function pg_temp.k(kind text, number bigint) returns uuid immutable language sql as
    $$ select md5(kind || number)::uuid $$;
create function pg_temp.h(kind text, number bigint) returns bytea immutable language sql as
    $$ select decode(md5(kind || number), 'hex') $$;
-- Payment `number` of all of them, the newest a minute ago.
create function pg_temp.moment(number bigint) returns timestamptz stable language sql as
    $$ select now() - interval '1 minute' - interval '180 days' * (1 - number::float8 / pg_temp.n()) $$;

-- Indexes that are no constraint's are built when the rows are there: a third of the time.
create temporary table dropped_indexes as
    select i.indexrelid::regclass::text as name, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as definition
    from pg_index i join pg_class t on t.oid = i.indrelid
    where t.relnamespace = 'public'::regnamespace and not t.relispartition
      and not exists (select from pg_constraint c where c.conindid = i.indexrelid);
do $$ declare each record; begin
    for each in select name from dropped_indexes loop execute 'drop index ' || each.name; end loop;
end $$;

insert into bars (id, slug, name, mpesa_enabled, mpesa_environment, last_tab_number)
select pg_temp.k('bar', b), 'house-' || b, 'House ' || b, true, 'production', 100
from generate_series(0, pg_temp.n() / 200 - 1) b;
insert into menu_items (id, bar_id, category, name, price, position)
select pg_temp.k('item', b * 20 + i), pg_temp.k('bar', b), 'Drinks', 'Drink ' || i, 300, i
from generate_series(0, pg_temp.n() / 200 - 1) b, generate_series(0, 19) i;
insert into table_codes (id, bar_id, label, code)
select pg_temp.k('table', b * 10 + i), pg_temp.k('bar', b), 'T' || i, md5('code' || b * 10 + i)
from generate_series(0, pg_temp.n() / 200 - 1) b, generate_series(0, 9) i;
insert into staff_accounts (id, username, name, password_hash)
select pg_temp.k('account', a), 'person' || a, 'Person ' || a, 'x' from generate_series(0, pg_temp.n() / 100 - 1) a;
insert into bar_members (account_id, bar_id, role)
select pg_temp.k('account', a), pg_temp.k('bar', a / 2), (array['owner', 'cashier'])[1 + a % 2]
from generate_series(0, pg_temp.n() / 100 - 1) a;
insert into staff_sessions (token_hash, account_id, bar_id, csrf, created_at, last_seen_at, proved_at, expires_at)
select pg_temp.h('session', a), pg_temp.k('account', a), pg_temp.k('bar', a / 2), 'x', now(), now(), now(),
       now() + interval '12 hours'
from generate_series(0, pg_temp.n() / 100 - 1) a;
insert into staff_recovery_codes (account_id, code_hash, created_at)
select pg_temp.k('account', a), pg_temp.h('recovery', a * 10 + i), now()
from generate_series(0, pg_temp.n() / 100 - 1) a, generate_series(0, 9) i;
insert into staff_invitations (token_hash, bar_id, role, name, invited_by, created_at, expires_at)
select pg_temp.h('invitation', a), pg_temp.k('bar', a / 2), 'waiter', 'Somebody', pg_temp.k('account', a), now(), now()
from generate_series(0, pg_temp.n() / 100 - 1) a;
insert into sign_in_attempts (username_hash, succeeded, at)
select pg_temp.h('account', s % (pg_temp.n() / 100)), s % 20 > 0, pg_temp.moment(s)
from generate_series(1, pg_temp.n() / 2) s;
insert into api_keys (id, key_hash, label, bar_id, scopes)
select pg_temp.k('key', b), pg_temp.h('key', b), 'till', pg_temp.k('bar', b), '{payments}'
from generate_series(0, pg_temp.n() / 200 - 1) b;
insert into saved_views (id, bar_id, account_id, name, query, created_at)
select pg_temp.k('view', a), pg_temp.k('bar', a / 2), pg_temp.k('account', a), 'Mine', 'status=failed', now()
from generate_series(0, pg_temp.n() / 100 - 1) a;
insert into readiness_attestations (bar_id, item, stands, account_id, note, at)
select pg_temp.k('bar', b), 'item-' || i, true, pg_temp.k('account', b * 2), 'seen', now()
from generate_series(0, pg_temp.n() / 200 - 1) b, generate_series(0, 9) i;

insert into data_keys (id, purpose, bar_id, month, wrapped)
select pg_temp.k('datakey', b * 6 + m), 'personal', pg_temp.k('bar', b), date '2026-01-01' + make_interval(months => m),
       '\x00'
from generate_series(0, pg_temp.n() / 200 - 1) b, generate_series(0, 5) m;
insert into mpesa_credentials (id, tenant_id, environment, business_shortcode, consumer_key_enc, consumer_secret_enc,
                               passkey_enc, is_active)
select pg_temp.k('credential', b), pg_temp.k('bar', b), 'production', (600000 + b)::text, '\x00', '\x00', '\x00', true
from generate_series(0, pg_temp.n() / 200 - 1) b;
insert into mpesa_credential_versions (credential_id, version, bar_id, environment, business_shortcode,
                                       consumer_key_enc, consumer_secret_enc, passkey_enc)
select c.id, v, tenant_id, environment, business_shortcode, '\x00', '\x00', '\x00'
from mpesa_credentials c, generate_series(1, 3) v;
insert into daraja_budgets (credential_id, bar_id, tokens, per_minute, refilled_at)
select id, tenant_id, 60, 60, now() from mpesa_credentials;
insert into mpesa_initiators (credential_id, bar_id, environment, name, password_enc, set_by, set_at, expires_at)
select id, tenant_id, environment, 'api', '\x00', 'staff', now(), now() + interval '90 days' from mpesa_credentials;
insert into c2b_addresses (id, bar_id, environment, shortcode, secret_hash, secret_enc, api_version, response_type,
                           created_at, updated_at)
select id, tenant_id, environment, business_shortcode, decode(md5(id::text), 'hex'), '\x00', 'v2', 'Completed', now(),
       now() from mpesa_credentials;
insert into pull_subscriptions (credential_id, bar_id, environment, shortcode, subscribed_at, next_pull_at)
select id, tenant_id, environment, business_shortcode, now(), now() + interval '5 minutes' from mpesa_credentials;

-- Two payments a tab. The newest tabs are open, the rest is closed.
insert into tabs (id, bar_id, tab_number, ref, table_code_id, join_code, status, opened_by, opened_at, closed_at)
select pg_temp.k('tab', t), pg_temp.k('bar', t % (pg_temp.n() / 200)), 1 + t / (pg_temp.n() / 200), md5('ref' || t),
       pg_temp.k('table', (t % (pg_temp.n() / 200)) * 10 + t % 7), '0000', s.status, 'guest', pg_temp.moment(t * 2),
       case s.status when 'closed' then pg_temp.moment(t * 2) end
from generate_series(0, pg_temp.n() / 2 - 1) t,
     lateral (select case when t > pg_temp.n() / 2 - 1 - pg_temp.n() / 200 then 'open' else 'closed' end as status) s;
insert into guest_devices (device_hash, tab_id, bar_id, joined_at)
select pg_temp.h('device', t), pg_temp.k('tab', t), pg_temp.k('bar', t % (pg_temp.n() / 200)), pg_temp.moment(t * 2)
from generate_series(0, pg_temp.n() / 2 - 1) t;
insert into join_attempts (bar_id, table_code_id, device_hash, succeeded, at)
select pg_temp.k('bar', t % (pg_temp.n() / 200)), pg_temp.k('table', (t % (pg_temp.n() / 200)) * 10),
       pg_temp.h('device', t), t % 10 > 0, pg_temp.moment(t * 2) from generate_series(0, pg_temp.n() / 2 - 1) t;
insert into tab_splits (tab_id, bar_id, people, total, ordered, at)
select pg_temp.k('tab', t), pg_temp.k('bar', t % (pg_temp.n() / 200)), 3, 900, 900, pg_temp.moment(t * 2)
from generate_series(0, pg_temp.n() / 2 - 1, 5) t;
insert into tab_orders (id, bar_id, tab_id, order_number, items, total, status, initiated_by, idempotency_key, created_at,
                        confirmed_at)
select pg_temp.k('order', o), pg_temp.k('bar', o / 2 % (pg_temp.n() / 200)), pg_temp.k('tab', o / 2), 1 + o % 2,
       '[{"name": "Drink", "quantity": 1, "price": 300}]', 300, s.status, 'customer', 'o' || o, pg_temp.moment(o),
       case s.status when 'confirmed' then pg_temp.moment(o) end
from generate_series(0, pg_temp.n() - 1) o,
     lateral (select case when o > pg_temp.n() - 20 then 'pending' else 'confirmed' end as status) s;

insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment, business_shortcode,
    reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash, status, irregularities, started_by,
    retry_of, push_started_at, sent_at, settled_at, merchant_request_id, checkout_request_id_enc,
    checkout_request_id_hash, result_code, receipt, transaction_date, amount_received, next_check_at, nudged_at,
    created_at, updated_at)
select pg_temp.k('payment', p), pg_temp.k('bar', b), pg_temp.k('tab', p / 2), pg_temp.k('credential', b), 3,
       'production', (600000 + b)::text, 'K' || p, md5('receipt' || p), 300, '\x00',
       pg_temp.h('phone', p % (pg_temp.n() / 10)), pg_temp.h('token', p), s.status::transaction_status,
       case when p % 500 = 0 then array['late'] else '{}' end, 'guest',
       case when p % 20 = 19 then pg_temp.k('payment', p - 1) end, m, case when s.status <> 'pending' then m end,
       case when s.status in ('completed', 'failed', 'cancelled') then m end, 'm' || p, '\x00',
       case when s.status <> 'pending' then pg_temp.h('checkout', p) end,
       case s.status when 'completed' then '0' when 'failed' then '1' when 'cancelled' then '1032' end,
       case s.status when 'completed' then 'R' || p end, m, case s.status when 'completed' then 300 end,
       case when s.status in ('pending', 'sent') then now() end, case when p % 1000 = 0 then m end, m, m
from generate_series(0, pg_temp.n() - 1) p,
     lateral (select p / 2 % (pg_temp.n() / 200) as b, pg_temp.moment(p) as m) of,
     lateral (select case when p > pg_temp.n() - 20 then (array['pending', 'sent'])[1 + p % 2]
                          when p % 20 = 7 then 'failed' when p % 20 = 13 then 'cancelled'
                          when p % 200 = 3 then 'timeout' else 'completed' end as status) s;
insert into idempotency_keys (tab_id, key, bar_id, body_hash, transaction_id, created_at)
select tab_id, reference, bar_id, '\x00', id, created_at from mpesa_transactions;
insert into guest_payments (device_hash, transaction_id, bar_id, at)
select pg_temp.h('device', p / 2), pg_temp.k('payment', p), pg_temp.k('bar', p / 2 % (pg_temp.n() / 200)),
       pg_temp.moment(p) from generate_series(0, pg_temp.n() - 1) p;
insert into payment_showings (bar_id, transaction_id, status, at)
select bar_id, id, s, created_at from mpesa_transactions, unnest('{sent,completed}'::transaction_status[]) s;
insert into payment_tries (bar_id, at, source, phone_hash, transaction_id)
select bar_id, created_at, ('10.' || get_byte(phone_hash, 0) || '.' || get_byte(phone_hash, 1) || '.1')::inet, phone_hash,
       id from mpesa_transactions;
insert into payment_days (bar_id, day, environment, pending, sent, completed, failed, cancelled, timeout, received,
                          refunded)
select pg_temp.k('bar', b), current_date - d, 'production', 0, 0, 1, 0, 0, 0, 300, 0
from generate_series(0, pg_temp.n() / 200 - 1) b, generate_series(3, 180) d;
insert into webhook_endpoints (id, bar_id, url, secret_enc, added_by, created_at)
select pg_temp.k('endpoint', b), pg_temp.k('bar', b), 'https://bar.example/' || b, '\x00', 'staff:a', now()
from generate_series(0, pg_temp.n() / 200 - 1) b;
insert into webhook_messages (id, bar_id, endpoint_id, type, source, event_id, event_at, body, created_at,
                              next_attempt_at, attempts, delivered_at)
select pg_temp.k('told', p), pg_temp.k('bar', b), pg_temp.k('endpoint', b), 'payment.completed', 'payment', p,
       pg_temp.moment(p), '{}', pg_temp.moment(p), pg_temp.moment(p), 1,
       case when p % 1000 > 0 then pg_temp.moment(p) end
from generate_series(0, pg_temp.n() - 1, 2) p, lateral (select p / 2 % (pg_temp.n() / 200) as b) of;
insert into tab_payments (id, bar_id, tab_id, kind, method, amount, environment, transaction_id, receipt, recorded_by,
                          created_at)
select md5('credit' || reference)::uuid, bar_id, tab_id, 'payment', 'mpesa', amount, environment, id, receipt,
       'safaricom', created_at from mpesa_transactions where status = 'completed';
insert into tab_payments (id, bar_id, tab_id, kind, method, amount, recorded_by, idempotency_key, created_at)
select pg_temp.k('cash', t), pg_temp.k('bar', t % (pg_temp.n() / 200)), pg_temp.k('tab', t), 'payment', 'cash', 100,
       'staff', 'c' || t, pg_temp.moment(t * 2) from generate_series(0, pg_temp.n() / 2 - 1, 3) t;
insert into mpesa_receipts (id, environment, receipt, bar_id, business_shortcode, amount, transacted_at, transaction_id,
                            ledger_id, first_channel, created_at, reference)
select md5('proof' || reference)::uuid, environment, receipt, bar_id, business_shortcode, amount, created_at, id,
       md5('credit' || reference)::uuid, 'stk', created_at, reference
from mpesa_transactions where status = 'completed';
insert into mpesa_receipts (id, environment, receipt, bar_id, business_shortcode, amount, first_channel, created_at)
select pg_temp.k('direct', d), 'production', 'D' || d, pg_temp.k('bar', d % (pg_temp.n() / 200)),
       (600000 + d % (pg_temp.n() / 200))::text, 250, 'c2b', pg_temp.moment(d * 100)
from generate_series(0, pg_temp.n() / 100 - 1) d;
insert into mpesa_receipt_sightings (receipt_id, bar_id, channel, callback_id, seen_at)
select id, bar_id, c.channel, null, created_at from mpesa_receipts, (values ('stk'), ('statement')) c (channel);
insert into receipt_claims (id, bar_id, tab_id, transaction_id, receipt, claimed_by, status, created_at)
select pg_temp.k('claim', t), pg_temp.k('bar', t % (pg_temp.n() / 200)), pg_temp.k('tab', t), null, 'Z' || t, 'guest',
       case when t % 1000 = 0 then 'open' else 'refused' end, pg_temp.moment(t * 2)
from generate_series(0, pg_temp.n() / 2 - 1, 10) t;

insert into payment_events (at, xact, bar_id, transaction_id, kind, from_status, to_status, actor)
select created_at, '3', bar_id, id, 'changed', s.before::transaction_status, s.after::transaction_status, 'callback:1'
from mpesa_transactions, (values (null, 'pending'), ('pending', 'sent'), ('sent', 'completed')) s (before, after);
insert into mpesa_callbacks (received_at, channel, token_hash, body_enc, processed_at, verdict, transaction_id,
                             next_attempt_at)
select created_at, 'stk', callback_token_hash, '\x00', created_at, 'applied', id, created_at from mpesa_transactions;
insert into mpesa_callbacks (received_at, channel, token_hash, body_enc, next_attempt_at)
select now(), 'stk', pg_temp.h('token', p), '\x00', now() from generate_series(1, 10) p;
insert into daraja_exchanges (at, bar_id, transaction_id, kind, outcome, duration_ms, request, response)
select created_at, bar_id, id, 'push', 'accepted', 300, '{}', '{}' from mpesa_transactions;
insert into audit_events (at, xact, bar_id, actor, action, object_kind, object_id)
select created_at, '3', bar_id, 'staff:x', a.action, 'transaction', case a.action when 'credentials.opened'
       then credential_id::text else id::text end
from mpesa_transactions, (values ('payment.viewed'), ('credentials.opened')) a (action);
insert into audit_seals (batch, kind, month, first_place, last_place, sealed_at, key_id, key_check, mac)
select s, 'payment', '2026-01-01', 1 + s * 500, s * 500 + 500, now(), 'k', '\x00', sha256('x')
from generate_series(1, greatest(pg_temp.n() / 500, 2000)) s;
insert into audit_digests (batch, place, kind, month, id, at, keep, digest)
select 1 + e.id / 500, e.id, 'payment', '2026-01-01', e.id, e.at, 'money', sha256('x') from payment_events e
where e.id % 3 > 0;
insert into audit_digests (batch, place, kind, month, id, at, keep, digest)
select 100000 + 1 + e.id / 500, e.id, 'audit', '2026-01-01', e.id, e.at, 'record', sha256('x') from audit_events e;

insert into problems (id, bar_id, kind, subject, severity, opened_at, closed_at, closed_by)
select pg_temp.k('problem', p), pg_temp.k('bar', p % (pg_temp.n() / 200)), 'late', 's' || p, 'warning',
       pg_temp.moment(p * 10), case when p % 1000 > 0 then pg_temp.moment(p * 10) end,
       case when p % 1000 > 0 then 'kaunta' end from generate_series(0, pg_temp.n() / 10 - 1) p;
insert into alerts (id, problem_id, bar_id, kind, subject, severity, began_at, told_level, ended_at, end_told_at)
select pg_temp.k('alert', p), pg_temp.k('problem', p), pg_temp.k('bar', p % (pg_temp.n() / 200)), 'late', 's' || p,
       'warning', pg_temp.moment(p * 10), 1, case when p % 1000 > 0 then now() end,
       case when p % 1000 > 0 then now() end from generate_series(0, pg_temp.n() / 10 - 1) p;
insert into alert_messages (id, event, kind, level, channel, alert_ids, created_at, next_attempt_at, sent_at)
select pg_temp.k('message', p), 'opened', 'late', 1, 'email', array[pg_temp.k('alert', p)], pg_temp.moment(p * 10),
       now(), case when p % 1000 > 0 then now() end from generate_series(0, pg_temp.n() / 10 - 1) p;
insert into resolution_proposals (id, bar_id, transaction_id, paid, reason, evidence, proposed_by, state, decided_by,
                                  decided_at, created_at, expires_at)
select pg_temp.k('proposal', p), pg_temp.k('bar', p / 2 % (pg_temp.n() / 200)), pg_temp.k('payment', p), true, 'was paid',
       'a message', 'staff:a', 'approved', 'staff:b', now(), pg_temp.moment(p), now()
from generate_series(3, pg_temp.n() - 1, 100) p;

insert into mpesa_refunds (id, bar_id, environment, receipt_id, amount, method, state, reason, code, requested_by,
                           needs_approval, idempotency_key, asked_at, settled_at, created_at, updated_at)
select pg_temp.k('refund', p), pg_temp.k('bar', p / 2 % (pg_temp.n() / 200)), 'production', md5('proofK' || p)::uuid, 100,
       'reversal', 'refunded', 'wrong dish', 'B' || p, 'staff:a', false, 'r' || p, pg_temp.moment(p), pg_temp.moment(p),
       pg_temp.moment(p), now() from generate_series(0, pg_temp.n() - 1, 50) p;
update mpesa_refunds set state = 'processing', settled_at = null, next_check_at = now()
where id in (select pg_temp.k('refund', p) from generate_series(0, pg_temp.n() - 1, 5000) p);
insert into refund_events (at, xact, bar_id, refund_id, kind, to_state, actor)
select created_at, '3', bar_id, id, 'asked', 'processing', 'staff:a' from mpesa_refunds;
insert into daraja_requests (id, bar_id, environment, credential_id, credential_version, kind, token_hash, receipt,
                             refund_id, asked_by, state, asked_at)
select r.id, r.bar_id, r.environment, pg_temp.k('credential', 0), 3, 'reversal', decode(md5('request' || r.id), 'hex'),
       r.code, r.id, 'staff:a', 'answered', r.asked_at from mpesa_refunds r;

insert into statement_imports (id, bar_id, environment, shortcode, layout, format, file_name, digest, state, read_by,
                               read_at, imported_by, imported_at, fresh)
select pg_temp.k('import', i), pg_temp.k('bar', i % (pg_temp.n() / 200)), 'production', '600000', 'organisation', 'csv',
       'statement.csv', '\x00', 'imported', 'staff:a', now(), 'staff:a', now(), 40
from generate_series(0, pg_temp.n() / 50 - 1) i;
insert into statement_lines (bar_id, environment, shortcode, receipt, kind, direction, label, cents, at, import_id,
                             look_at, placed_as)
select bar_id, environment, business_shortcode, 'RRRRRR' || reference, 'payment', 'in', '', amount * 100, created_at,
       pg_temp.k('import', substr(reference, 2)::bigint / 50), case when w then now() end, case when not w then 'booked' end
from mpesa_transactions, lateral (select right(reference, 4) = '0000' as w) waiting where status = 'completed';

do $$ declare each record; begin
    for each in select definition from dropped_indexes loop execute each.definition; end loop;
end $$;
drop table dropped_indexes;
set session_replication_role = origin;
