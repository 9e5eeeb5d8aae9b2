-- A month that has rows in the table for the rest gets its partition all the same. PostgreSQL refuses to make one beside
-- them, and no worker could have made that month or any after it: a host's clock that once stood a year ahead, or months
-- without a worker, would have been felt for ever.

-- As in 0002, and rows of a month that are already there move into it: the table for the rest is taken off, which ends
-- the triggers that let nobody delete from it, and is put back, which makes them anew. All of it or nothing. What waits
-- meanwhile are writers of that table; whoever stored a callback for four seconds in vain spools it.
create or replace function kaunta_make_partitions(months_ahead integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '300ms' as $$
declare
    parent text;
    moment text;
    rest text;
    within text;
    first date := date_trunc('month', now() at time zone 'UTC')::date;
    start date;
    child text;
    in_rest boolean;
    made integer := 0;
begin
    foreach parent in array array['mpesa_callbacks', 'payment_events', 'audit_events'] loop
        moment := case parent when 'mpesa_callbacks' then 'received_at' else 'at' end;
        rest := parent || '_default';
        for ahead in 0..months_ahead loop
            start := (first + make_interval(months => ahead))::date;
            child := format('%s_%s', parent, to_char(start, 'YYYY_MM'));
            if to_regclass(child) is not null then
                continue;
            end if;
            within := format('%I >= %L and %I < %L', moment, start || ' 00:00+00',
                             moment, (start + interval '1 month')::date || ' 00:00+00');
            execute format('select exists (select from %I where %s)', rest, within) into in_rest;
            if in_rest then
                execute format('alter table %I detach partition %I', parent, rest);
            end if;
            execute format('create table %I partition of %I for values from (%L) to (%L)', child, parent,
                           start || ' 00:00+00', (start + interval '1 month')::date || ' 00:00+00');
            if in_rest then
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
        end loop;
    end loop;
    return made;
end $$;
