-- The switch's guard: `bars.mpesa_enabled` cannot differ from `mpesa_credentials.is_active`, whoever writes.
--
-- A write to the credentials derives the flag; a contradicting write to the flag is refused with a hint. Both first
-- lock the bar's row and then look: written the natural way, two writers at once still drifted apart. Rows are read
-- as JSON, so that the same guard fits a database in which a column is missing (a bar's environment, for example).

-- What a bar's flag must be; null where two rows leave it open. One row counts whatever its environment; of two, the
-- one of the bar's environment; none, or NULL, is false.
create or replace function kaunta_mpesa_authority(bar bars.id%type, bar_environment text) returns boolean
language sql volatile as $$
    select case count(*)
        when 0 then false
        when 1 then coalesce(bool_or(c.is_active), false)
        else case count(*) filter (where to_jsonb(c) ->> 'environment' = bar_environment)
            when 1 then coalesce(bool_or(c.is_active)
                                 filter (where to_jsonb(c) ->> 'environment' = bar_environment), false)
        end
    end
    from mpesa_credentials c where c.tenant_id = bar
$$;

create or replace function kaunta_guard_bars() returns trigger language plpgsql as $$
declare
    environment text := to_jsonb(new) ->> 'mpesa_environment';
    authority boolean;
begin
    if tg_op = 'UPDATE' and new.mpesa_enabled is not distinct from old.mpesa_enabled
       and environment is not distinct from to_jsonb(old) ->> 'mpesa_environment' then
        return new;
    end if;
    authority := kaunta_mpesa_authority(new.id, environment);
    if authority is null or new.mpesa_enabled is not distinct from authority then
        return new;
    end if;
    if tg_op = 'UPDATE' and new.mpesa_enabled is not distinct from old.mpesa_enabled then
        -- Only the environment moved: the other row counts now.
        new.mpesa_enabled := authority;
        return new;
    end if;
    raise exception 'bars.mpesa_enabled follows mpesa_credentials.is_active, which is % for this bar', authority
        using errcode = 'check_violation', constraint = 'kaunta_mpesa_guard',
              hint = 'Switch M-Pesa in the M-Pesa settings, or update mpesa_credentials.is_active: the flag follows.';
end $$;

create or replace function kaunta_guard_credentials() returns trigger language plpgsql as $$
declare
    bar bars.id%type;
    home bars%rowtype;
    authority boolean;
begin
    foreach bar in array case tg_op
        when 'INSERT' then array[new.tenant_id]
        when 'DELETE' then array[old.tenant_id]
        else array[old.tenant_id, new.tenant_id]
    end loop
        select * into home from bars where id = bar for no key update;
        continue when not found;
        authority := kaunta_mpesa_authority(bar, to_jsonb(home) ->> 'mpesa_environment');
        if authority is not null then
            update bars set mpesa_enabled = authority where id = bar and mpesa_enabled is distinct from authority;
        end if;
    end loop;
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

drop trigger if exists kaunta_guard_bars on bars;
create trigger kaunta_guard_bars before insert or update on bars
    for each row execute function kaunta_guard_bars();
drop trigger if exists kaunta_tell_switch on bars;
create trigger kaunta_tell_switch after update on bars
    for each row execute function kaunta_tell_switch();
drop trigger if exists kaunta_guard_credentials on mpesa_credentials;
create trigger kaunta_guard_credentials after insert or delete or update on mpesa_credentials
    for each row execute function kaunta_guard_credentials();
