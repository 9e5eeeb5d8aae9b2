-- The switch's guard: `bars.mpesa_enabled` cannot differ from `mpesa_credentials.is_active`, whoever writes.
--
-- A write to the credentials derives the flag; a contradicting write to the flag is refused with a hint. Both first
-- lock the bar's row and then look: written the natural way, two writers at once still drifted apart. Rows are read
-- as JSON, so that the same guard fits a database in which a column is missing (a bar's environment, for example).

-- What a bar's flag must be; null where two rows leave it open. One row counts whatever its environment; of two, the
-- one of the bar's environment; none, or NULL, is false. $1 the bar, $2 its environment: a name could be a column's.
create or replace function kaunta_mpesa_authority(bars.id%type, text) returns boolean
language sql volatile as $$
    select case count(*)
        when 0 then false
        when 1 then coalesce(bool_or(c.is_active), false)
        else case count(*) filter (where to_jsonb(c) ->> 'environment' = $2)
            when 1 then coalesce(bool_or(c.is_active) filter (where to_jsonb(c) ->> 'environment' = $2), false)
        end
    end
    from mpesa_credentials c where c.tenant_id = $1
$$;

create or replace function kaunta_guard_bars() returns trigger language plpgsql security definer as $$
declare
    new_environment text := to_jsonb(new) ->> 'mpesa_environment';
    rightful boolean;
begin
    if tg_op = 'UPDATE' and new.mpesa_enabled is not distinct from old.mpesa_enabled
       and new_environment is not distinct from to_jsonb(old) ->> 'mpesa_environment' then
        return new;
    end if;
    rightful := kaunta_mpesa_authority(new.id, new_environment);
    if rightful is null or new.mpesa_enabled is not distinct from rightful then
        return new;
    end if;
    if (tg_op = 'INSERT' and new.mpesa_enabled is null)
       or (tg_op = 'UPDATE' and new.mpesa_enabled is not distinct from old.mpesa_enabled) then
        -- Nobody said anything of the flag. Only the environment moved, and the other row counts now; or a bar is new.
        new.mpesa_enabled := rightful;
        return new;
    end if;
    raise exception 'bars.mpesa_enabled follows mpesa_credentials.is_active, which is % for this bar', rightful
        using errcode = 'check_violation', constraint = 'kaunta_mpesa_guard',
              hint = 'Switch M-Pesa in the M-Pesa settings, or update mpesa_credentials.is_active: the flag follows.';
end $$;

create or replace function kaunta_guard_credentials() returns trigger language plpgsql security definer as $$
declare
    watched text[] := array['tenant_id', 'environment', 'is_active', 'till_number'];
    shown boolean := tg_op <> 'UPDATE';
    name text;
    touched bars.id%type;
    home bars%rowtype;
begin
    if tg_op = 'UPDATE' then
        foreach name in array watched loop
            shown := shown or to_jsonb(new) -> name is distinct from to_jsonb(old) -> name;
        end loop;
    end if;
    for touched in
        select distinct tenant from unnest(case tg_op
            when 'INSERT' then array[new.tenant_id]
            when 'DELETE' then array[old.tenant_id]
            else array[old.tenant_id, new.tenant_id]
        end) tenant order by tenant
    loop
        select * into home from bars b where b.id = touched for no key update;
        continue when not found;
        -- Written even where nothing changes: a transaction that looked before us (REPEATABLE READ) must fail on this
        -- row rather than decide by what it saw.
        update bars b
        set mpesa_enabled = coalesce(kaunta_mpesa_authority(touched, to_jsonb(home) ->> 'mpesa_environment'),
                                     b.mpesa_enabled)
        where b.id = touched;
        if shown then
            -- The other environment's row came or went: what guests may use can change though the flag does not.
            perform pg_notify('kaunta_live', format('switch:%s bar:%s', touched, touched));
        end if;
    end loop;
    return null;
end $$;

create or replace function kaunta_guard_no_credentials() returns trigger language plpgsql security definer as $$
begin
    update bars b set mpesa_enabled = false where b.mpesa_enabled is distinct from false;
    return null;
end $$;

-- Open pages learn of it, even when somebody wrote with plain SQL. Rare, so cheap.
create or replace function kaunta_tell_switch() returns trigger language plpgsql as $$
declare
    watched text[] := array['mpesa_enabled', 'mpesa_environment', 'mpesa_suspended_reason', 'mpesa_suspended_until',
                            'payment_cash_enabled', 'payment_card_enabled', 'active'];
    name text;
begin
    foreach name in array watched loop
        if to_jsonb(new) -> name is distinct from to_jsonb(old) -> name then
            perform pg_notify('kaunta_live', format('switch:%s bar:%s', new.id, new.id));
            return null;
        end if;
    end loop;
    return null;
end $$;

-- The guard sees every row and the right tables, whatever the writer may see or has on the search path.
do $$
declare
    home text := (select quote_ident(n.nspname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                  where c.oid = 'bars'::regclass);
    guard text;
begin
    foreach guard in array array['kaunta_guard_bars', 'kaunta_guard_credentials', 'kaunta_guard_no_credentials'] loop
        execute format('alter function %I() set search_path = %s, pg_temp', guard, home);
    end loop;
end $$;

drop trigger if exists kaunta_guard_bars on bars;
create trigger kaunta_guard_bars before insert or update on bars
    for each row execute function kaunta_guard_bars();
drop trigger if exists kaunta_tell_switch on bars;
create trigger kaunta_tell_switch after update on bars
    for each row execute function kaunta_tell_switch();
drop trigger if exists kaunta_guard_credentials on mpesa_credentials;
create trigger kaunta_guard_credentials after insert or delete or update on mpesa_credentials
    for each row execute function kaunta_guard_credentials();
drop trigger if exists kaunta_guard_no_credentials on mpesa_credentials;
create trigger kaunta_guard_no_credentials after truncate on mpesa_credentials
    for each statement execute function kaunta_guard_no_credentials();
