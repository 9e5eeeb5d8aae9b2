-- Since when a key of the keyring is in use: a key says nothing about its age, and one that is old should be changed.
-- A key is named by its id and check value, as in every envelope; neither tells anything about the key.
create table keyring_ages (
    key_id text not null,
    key_check text not null,
    first_seen_at timestamptz not null,
    primary key (key_id, key_check)
);

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on keyring_ages to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert on keyring_ages to kaunta_app, kaunta_worker;
end $$;
