-- The history's filters that a person keeps under a name, for themselves and at this bar.

create table saved_views (
    id uuid primary key,
    bar_id uuid not null references bars,
    account_id uuid not null references staff_accounts,
    name text not null check (length(name) between 1 and 40),
    -- An address's query as our own code wrote it from a filter that it had read.
    query text not null check (length(query) between 1 and 2000),
    created_at timestamptz not null,
    unique (bar_id, account_id, name)
);

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    -- Nobody's report and no worker's business; a view is made and deleted, never changed.
    grant select, insert, delete on saved_views to kaunta_app;
end $$;
