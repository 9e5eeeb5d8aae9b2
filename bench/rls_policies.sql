-- A policy on every table that has a bar, and three logins that own nothing; policies pass the first two by.
-- Rows without a bar (a problem of the whole installation, a key of no bar) are everybody's.

create role bench_none login password 'bench' bypassrls in role kaunta_app;
create role bench_context login password 'bench' bypassrls in role kaunta_app;
create role bench_policies login password 'bench' in role kaunta_app;

do $$
declare
    owned record;
begin
    for owned in
        select c.relname as name, a.attname as bar, a.attnotnull as always
        from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and (a.attname in ('bar_id', 'tenant_id') or (c.relname = 'bars' and a.attname = 'id'))
    loop
        execute format(
            'create policy one_bar on %I using (%s %I = current_setting(''kaunta.bar_id'', true)::uuid)', owned.name,
            case when owned.always then '' else format('%I is null or', owned.bar) end, owned.bar);
        execute format('alter table %I enable row level security', owned.name);
    end loop;
end $$;

-- A callback brings a token and no bar: whoever looks for its payment must see every bar's.
create function bench_place_by_token(bytea) returns table (id uuid, bar_id uuid, tab_id uuid)
language sql stable security definer set search_path = public
as $$ select id, bar_id, tab_id from mpesa_transactions where callback_token_hash = $1 $$;
