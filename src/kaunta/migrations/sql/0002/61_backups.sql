-- What was backed up, what was brought back, and who holds which keys.

-- The files are the truth; these rows are what alerts, diagnosis and `keys retire` read of them.
create table backups (
    id uuid primary key,
    kind text not null check (kind in ('credentials', 'whole')),
    reason text not null check (reason in ('scheduled', 'by_hand', 'safety', 'found')),
    -- The file, as the process that wrote it calls it.
    target text not null,
    created_at timestamptz not null,
    created_by text not null,
    size bigint not null check (size >= 0),
    -- SHA-256 over the whole file.
    digest bytea not null check (length(digest) = 32),
    schema_version text not null,
    -- The keyring's keys that what is inside was sealed with.
    key_ids text[] not null,
    -- Rows by table.
    counts jsonb not null default '{}',
    -- When it was last read to its end, and how that went; good until it is found not to be.
    verified_at timestamptz,
    ok boolean,
    fault text,
    removed_at timestamptz,
    check ((ok is null) = (verified_at is null))
);
create index backups_kept on backups (created_at desc) where removed_at is null;

-- What was brought back from a backup; the safety backup is how that is undone.
create table backup_restores (
    id uuid primary key,
    backup_id uuid not null,
    safety_id uuid not null,
    restored_at timestamptz not null,
    restored_by text not null,
    -- The credentials rows that were not there before.
    added uuid[] not null default '{}',
    undone_at timestamptz
);
create index backup_restores_in_time on backup_restores (restored_at desc);

-- One scheduled backup a day, whoever makes it: a claim that is taken over when its holder died.
create table backup_days (
    day date primary key,
    claimed_by text not null,
    claimed_at timestamptz not null,
    done_at timestamptz
);

-- Which keys the running processes hold, by id and check value: nothing is sealed with a key that one of them lacks.
create table keyring_holders (
    process text primary key,
    seen_at timestamptz not null,
    primary_key text not null,
    -- Check values in hex by key id; they are in every envelope and tell nothing about the key.
    keys jsonb not null
);

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on backups, backup_restores, backup_days, keyring_holders to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert, update on backups, backup_days to kaunta_worker;
    grant insert, update, delete on keyring_holders to kaunta_app, kaunta_worker;
end $$;
