-- Statements: Safaricom's own list of a business's money, imported as often as somebody likes.

create table statement_imports (
    id uuid primary key,
    bar_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    shortcode text not null,
    layout text not null check (layout in ('organisation', 'portal')),
    format text not null check (format in ('csv', 'xlsx')),
    file_name text not null check (length(file_name) <= 120),
    digest bytea not null,
    -- staged: read to its end and shown, and nothing counts yet.
    state text not null default 'reading' check (state in ('reading', 'staged', 'imported')),
    rows integer not null default 0 check (rows >= 0),
    -- Rows that no earlier import had.
    fresh integer,
    -- What the file covers: its own words, else from its first row to its last.
    since timestamptz,
    until timestamptz,
    read_by text not null,
    read_at timestamptz not null,
    imported_by text,
    imported_at timestamptz,
    check ((state = 'imported') = (imported_at is not null)),
    check ((imported_by is null) = (imported_at is null) and (fresh is null) = (imported_at is null)),
    check ((since is null) = (until is null) and since <= until)
);
create index statement_imports_of_bar on statement_imports (bar_id, read_at desc);
create index statement_imports_staged on statement_imports (read_at) where state <> 'imported';

-- The rows of a file that was read and is not imported: filled in pieces, counted by one switch, then gone.
create table statement_staged (
    import_id uuid not null references statement_imports on delete cascade,
    row integer not null,
    receipt text not null,
    at timestamptz not null,
    kind text not null,
    label text not null,
    direction text not null,
    cents bigint not null,
    linked text,
    -- Who paid and for what, sealed: personal data.
    party_enc bytea,
    primary key (import_id, row)
);

-- What statements say, once. A charge shares its payment's receipt, so the receipt alone names no row.
create table statement_lines (
    id bigint generated always as identity primary key,
    bar_id uuid not null references bars,
    environment text not null check (environment in ('sandbox', 'production')),
    shortcode text not null,
    receipt text not null check (receipt = upper(receipt) and length(receipt) between 6 and 20),
    kind text not null check (kind in ('payment', 'fee', 'reversal', 'withdrawal', 'other', 'failed')),
    direction text not null check (direction in ('in', 'out')),
    -- A charge's or transfer's own kind in Safaricom's words; empty for the rest, which a receipt has one of.
    label text not null,
    cents bigint not null check (cents >= 0),
    at timestamptz not null,
    -- The receipt a reversal takes back.
    linked text,
    import_id uuid not null references statement_imports,
    -- Payments and reversals that still have to find their place: when next, how often tried. Doubles as the lease.
    look_at timestamptz,
    tries integer not null default 0,
    -- What became of it: booked, known, unmatched, aside; before: from before the bar's first tab; elsewhere: another
    -- bar's of the same shortcode; not_whole: no whole shillings; ours, known, taken_back, strange, excess: a reversal.
    placed_as text,
    -- Kept only until the line has found its place.
    party_enc bytea,
    check (look_at is null or placed_as is null),
    check (kind in ('payment', 'reversal') or (look_at is null and placed_as is null))
);
create unique index statement_lines_once on statement_lines
    (bar_id, environment, receipt, kind, direction, label);
create index statement_lines_of_bar on statement_lines (bar_id, environment, at);
create index statement_lines_linked on statement_lines (environment, linked) where linked is not null;
create index statement_lines_to_place on statement_lines (look_at) where look_at is not null;
create index statement_lines_strange on statement_lines (environment, linked)
    where kind = 'reversal' and placed_as in ('strange', 'elsewhere');
create index statement_lines_of_import on statement_lines (import_id);

create function statement_lines_guard() returns trigger language plpgsql as $$
begin
    if (new.bar_id, new.environment, new.shortcode, new.receipt, new.kind, new.direction, new.label, new.cents, new.at,
        new.linked)
       is distinct from
       (old.bar_id, old.environment, old.shortcode, old.receipt, old.kind, old.direction, old.label, old.cents, old.at,
        old.linked) then
        raise exception 'what a statement says cannot change'
            using errcode = 'check_violation', constraint = 'statement_lines_immutable';
    end if;
    return new;
end $$;
create trigger statement_lines_guard before update on statement_lines
    for each row execute function statement_lines_guard();
create trigger statement_lines_stay before delete on statement_lines for each row execute function never_again();
create trigger statement_lines_no_truncate before truncate on statement_lines
    for each statement execute function never_truncate();

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on statement_imports, statement_staged, statement_lines to kaunta_app, kaunta_worker, kaunta_reader;
    grant insert, update, delete on statement_imports to kaunta_app, kaunta_worker;
    grant insert, delete on statement_staged to kaunta_app, kaunta_worker;
    grant insert, update on statement_lines to kaunta_app, kaunta_worker;
    grant usage on all sequences in schema public to kaunta_app, kaunta_worker;
end $$;
