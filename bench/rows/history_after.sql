-- One bar's past, when its rows are there.

set maintenance_work_mem = '1GB';
do $$ declare each record; begin
    for each in select definition from bench_dropped_indexes loop execute each.definition; end loop;
end $$;
drop table bench_dropped_indexes;
