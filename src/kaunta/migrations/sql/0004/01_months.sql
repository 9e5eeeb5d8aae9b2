-- A month that has rows in the table for the rest gets its partition all the same. PostgreSQL refuses to make one beside
-- them, and no worker could have made that month or any after it: a host's clock that once stood a year ahead, or months
-- without a worker, would have been felt for ever.

-- As in 0002, and rows that are already there move into their month, also into one that is over: the table for the rest is
-- taken off, which ends the triggers that let nobody delete from it, and is put back, which makes them anew. All of it or
-- nothing. Whoever reads or writes that table waits meanwhile, so a move has a transaction of its own (call again until
-- it says 0), and where statements have a time limit too many rows are left for a call without one, in a quiet hour.
create or replace function kaunta_make_partitions(months_ahead integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '300ms' as $$
declare
    parent text;
    moment text;
    rest text;
    within text;
    first date := date_trunc('month', now() at time zone 'UTC')::date;
    start date;
    starts date[];
    child text;
    moving bigint;
    most constant bigint := 100000;
    made integer := 0;
begin
    foreach parent in array array['mpesa_callbacks', 'payment_events', 'audit_events'] loop
        moment := case parent when 'mpesa_callbacks' then 'received_at' else 'at' end;
        rest := to_regclass(parent || '_default')::text;
        select array_agg((first + make_interval(months => ahead))::date order by ahead) into starts
        from generate_series(0, months_ahead) ahead;
        if rest is not null then
            execute format('select coalesce(array_agg(distinct date_trunc(''month'', %1$I at time zone ''UTC'')::date), '
                           '''{}'') || $1 from %2$I where %1$I < $2 at time zone ''UTC''', moment, rest)
            into starts using starts, first::timestamp;
        end if;
        foreach start in array starts loop
            child := format('%s_%s', parent, to_char(start, 'YYYY_MM'));
            if to_regclass(child) is not null then
                continue;
            end if;
            within := format('%I >= %L and %I < %L', moment, start || ' 00:00+00',
                             moment, (start + interval '1 month')::date || ' 00:00+00');
            moving := 0;
            if rest is not null then
                execute format('select count(*) from (select from %I where %s limit %s) found', rest, within, most + 1)
                into moving;
            end if;
            if moving > 0 and made > 0 then
                return made;
            elsif moving > most and current_setting('statement_timeout') <> '0' then
                continue;
            elsif moving > 0 then
                execute format('alter table %I detach partition %I', parent, rest);
            end if;
            execute format('create table %I partition of %I for values from (%L) to (%L)', child, parent,
                           start || ' 00:00+00', (start + interval '1 month')::date || ' 00:00+00');
            if moving > 0 then
                execute format('insert into %I select * from %I where %s', child, rest, within);
                execute format('delete from %I where %s', rest, within);
                execute format('alter table %I attach partition %I default', parent, rest);
            end if;
            -- pg_dump reads each month by its own name.
            if to_regrole('kaunta_worker') is not null then
                execute format('grant select on %I to kaunta_worker', child);
            end if;
            if parent <> 'mpesa_callbacks' then
                execute format('create trigger %I before truncate on %I for each statement '
                               'execute function never_truncate()', child || '_no_truncate', child);
            end if;
            made := made + 1;
            if moving > 0 then
                return made;
            end if;
        end loop;
    end loop;
    return made;
end $$;
-- It makes tables and moves rows: only for whoever keeps the house up.
revoke all on function kaunta_make_partitions(integer) from public;
do $$
begin
    if to_regrole('kaunta_worker') is not null then
        grant execute on function kaunta_make_partitions(integer) to kaunta_worker;
    end if;
end $$;
