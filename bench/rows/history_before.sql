-- One bar's past, before its rows are there (history_rows.sql): what is unique grows at its end with them, all other
-- indexes are built when they are there (history_after.sql).

create table bench_dropped_indexes as
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i
    where i.indrelid in ('mpesa_transactions'::regclass, 'tab_payments'::regclass, 'tab_orders'::regclass,
                         'tabs'::regclass)
      and not exists (select from pg_constraint c where c.conindid = i.indexrelid);
do $$ declare each record; begin
    for each in select name from bench_dropped_indexes loop execute 'drop index ' || each.name; end loop;
end $$;
