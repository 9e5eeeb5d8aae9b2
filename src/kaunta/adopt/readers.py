"""Views for whoever only reads: what happens today, under the old names and in the old columns.

Reports that were written against the old tables find them in `legacy_now`, with Kaunta's rows behind them; in `legacy`
stand the old tables as they were. The views hide no bar from another, so nobody but their owner and Supabase's
service_role may read them. A phone or a secret is in none.
"""

from kaunta.adopt.shape import Shape

READERS = "legacy_now"

VIEWS = """
    create schema legacy_now;
    create view legacy_now.bars as
        select id, name, location, slug, active, timezone, mpesa_enabled, payment_cash_enabled, payment_card_enabled,
               mpesa_environment, created_at, updated_at
        from public.bars;
    create view legacy_now.tabs as
        select t.id, t.bar_id, t.tab_number, t.status, t.opened_at, t.closed_at,
               case when t.closed_by is null then null when t.closed_by like 'customer%' then 'customer' else 'staff'
               end as closed_by,
               json_build_object('table_number', c.label)::text as notes, t.moved_to_overdue_at
        from public.tabs t left join public.table_codes c on c.id = t.table_code_id;
    create view legacy_now.tab_orders as
        select id, tab_id, order_number, items, total::numeric(10, 2) as total, status, initiated_by, created_at,
               confirmed_at, cancelled_at
        from public.tab_orders;
    create view legacy_now.tab_payments as
        select id, tab_id, amount::numeric(10, 2) as amount,
               case when kind = 'write_off' then 'cash' else method end as method, 'success' as status,
               case when kind = 'write_off' then 'WRITE_OFF' else receipt end as reference, created_at
        from public.tab_payments;
    create view legacy_now.tab_balances as
        select t.id as tab_id, t.bar_id,
               (select coalesce(sum(o.total), 0) from public.tab_orders o
                where o.tab_id = t.id and o.status = 'confirmed')
               - (select coalesce(sum(p.amount), 0) from public.tab_payments p
                  where p.tab_id = t.id)::numeric as balance
        from public.tabs t;
"""
TRANSACTIONS = """
    create view legacy_now.mpesa_transactions as
        select id, tab_id, amount::numeric(10, 2) as amount, currency, status::text as status, merchant_request_id,
               receipt as mpesa_receipt_number, transaction_date, failure_reason, result_code, environment, created_at,
               updated_at
        from public.mpesa_transactions;
"""
RIGHTS = """
    do $$ begin
        if exists (select from pg_roles where rolname = 'service_role') then
            grant usage on schema legacy_now to service_role;
            grant select on all tables in schema legacy_now to service_role;
        end if;
    end $$;
"""


def views_of(shape: Shape) -> str:
    """The views that the old database had tables for."""
    return VIEWS + (TRANSACTIONS if shape.has("mpesa_transactions") else "") + RIGHTS
