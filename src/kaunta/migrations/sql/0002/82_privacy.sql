-- A person's phone is erased: overwritten, in rows that else never change, and nothing of the money with it.

-- That it was done, by whom, and how many rows it touched; never whose. The word of a transaction opens the guards for
-- the rows of that very transaction, and only the functions below can write it.
create table erasures (
    id uuid primary key,
    xact xid8 not null default pg_current_xact_id(),
    -- The transaction's own moment: in a copy that was brought back elsewhere, its number alone may come again.
    written timestamptz not null default now(),
    at timestamptz not null,
    by text not null,
    payments integer not null,
    receipts integer not null,
    messages integer not null,
    lines integer not null
);
create index erasures_by_transaction on erasures (xact);
create trigger erasures_append_only before update or delete on erasures for each row execute function never_again();
create trigger erasures_no_truncate before truncate on erasures for each statement execute function never_truncate();

-- Which rows were overwritten, without saying which belong together: so that they are again, where a message comes
-- late or an old backup is brought back.
create table erased_rows (
    kind text not null check (kind in ('payment', 'receipt', 'message', 'line')),
    row text not null,
    primary key (kind, row)
);

-- The key of everything erased: it never had a material, so whatever names it opens for nobody, and says why.
alter table data_keys
    drop constraint data_keys_purpose_check,
    add constraint data_keys_purpose_check check (purpose in ('personal', 'index', 'erased')),
    drop constraint data_keys_check,
    add constraint data_keys_check check ((purpose = 'personal') = (month is not null)),
    add constraint data_keys_erased_has_none check (purpose <> 'erased' or wrapped is null);

create function kaunta_erasing() returns boolean language sql stable as $$
    select exists (select from erasures where xact = pg_current_xact_id_if_assigned() and written = now())
$$;

create or replace function mpesa_transactions_guard() returns trigger language plpgsql as $$
begin
    if new.status <> old.status and not exists (
        select from transaction_status_ways w where w.from_status = old.status and w.to_status = new.status
    ) then
        raise exception 'a payment cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'mpesa_transactions_legal_ways';
    end if;
    if (new.id, new.bar_id, new.tab_id, new.credential_id, new.credential_version, new.environment,
        new.business_shortcode, new.reference, new.amount, new.callback_token_hash,
        new.push_started_at, new.created_at)
       is distinct from
       (old.id, old.bar_id, old.tab_id, old.credential_id, old.credential_version, old.environment,
        old.business_shortcode, old.reference, old.amount, old.callback_token_hash,
        old.push_started_at, old.created_at)
       or new.retry_of is distinct from old.retry_of
       or (new.phone_hash <> old.phone_hash and not kaunta_erasing()) then
        raise exception 'what a payment was started as cannot change'
            using errcode = 'check_violation', constraint = 'mpesa_transactions_immutable';
    end if;
    if not new.irregularities @> old.irregularities then
        raise exception 'an irregularity is never taken back'
            using errcode = 'check_violation', constraint = 'mpesa_transactions_irregularities_grow';
    end if;
    if (old.receipt is not null and new.receipt is distinct from old.receipt)
       or (old.checkout_request_id_hash is not null
           and new.checkout_request_id_hash is distinct from old.checkout_request_id_hash
           and not kaunta_erasing()) then
        raise exception 'what Safaricom told us is filled in once'
            using errcode = 'check_violation', constraint = 'mpesa_transactions_filled_once';
    end if;
    return new;
end $$;

-- 32 bytes of chance: what a keyed hash is replaced by. No two rows share one.
create function kaunta_chance() returns bytea language sql volatile as $$
    select sha256(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
$$;

-- An envelope as the vault reads it, under the key of everything erased, around nothing.
create function kaunta_erased_envelope(key uuid) returns bytea language sql volatile as $$
    select '\x4b4e5441'::bytea || '\x0110'::bytea || decode(replace(key::text, '-', ''), 'hex')
           || kaunta_chance() || substr(kaunta_chance(), 1, 12)
$$;

-- Overwrites what `erased_rows` names and what has joined it since; how many rows. What is still open is left alone.
create function kaunta_overwrite() returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    key uuid;
    -- The key's name inside an envelope.
    mark bytea;
    n integer;
    done integer := 0;
begin
    if not kaunta_erasing() then
        raise exception 'only an erasure overwrites' using errcode = 'insufficient_privilege';
    end if;
    insert into data_keys (id, purpose, destroyed_at) values (gen_random_uuid(), 'erased', now())
        on conflict (purpose, bar_id, month) do nothing;
    select id, decode(replace(id::text, '-', ''), 'hex') into strict key, mark from data_keys where purpose = 'erased';
    -- What Safaricom told of an erased payment or receipt goes with it.
    insert into erased_rows (kind, row)
        select 'receipt', r.id::text from mpesa_receipts r
        join erased_rows e on e.kind = 'payment' and r.transaction_id = e.row::uuid
        on conflict do nothing;
    insert into erased_rows (kind, row)
        select 'message', c.id::text from mpesa_callbacks c
        join erased_rows e on e.kind = 'payment' and c.transaction_id = e.row::uuid
        where c.processed_at is not null
        union
        select 'message', s.callback_id::text from mpesa_receipt_sightings s
        join erased_rows e on e.kind = 'receipt' and s.receipt_id = e.row::uuid where s.callback_id is not null
        on conflict do nothing;
    insert into erased_rows (kind, row)
        select 'line', l.id::text from statement_lines l
        join mpesa_receipts r on r.environment = l.environment and r.receipt = l.receipt
        join erased_rows e on e.kind = 'receipt' and e.row = r.id::text
        where l.look_at is null and l.party_enc is not null
        on conflict do nothing;

    -- Where an old backup brings tries and blocks back, the payments still tell whose they are.
    update payment_tries p set phone_hash = null, source = null
    from mpesa_transactions t, erased_rows e
    where e.kind = 'payment' and t.id = e.row::uuid and p.phone_hash = t.phone_hash
      and substr(t.phone_enc, 7, 16) <> mark;
    update prompt_blocks b set phone_hash = kaunta_chance()
    from mpesa_transactions t, erased_rows e
    where e.kind = 'payment' and t.id = e.row::uuid and b.phone_hash = t.phone_hash
      and substr(t.phone_enc, 7, 16) <> mark;

    update mpesa_transactions t set phone_enc = kaunta_erased_envelope(key), phone_hash = kaunta_chance(),
        checkout_request_id_enc = case when t.checkout_request_id_enc is not null then kaunta_erased_envelope(key) end,
        checkout_request_id_hash = case when t.checkout_request_id_hash is not null then kaunta_chance() end
    from erased_rows e where e.kind = 'payment' and t.id = e.row::uuid and t.status not in ('pending', 'sent')
      and (substr(t.phone_enc, 7, 16) <> mark
           or substr(t.checkout_request_id_enc, 7, 16) <> mark);
    get diagnostics n = row_count;
    done := done + n;
    -- Not null: a list that names the receipt again fills in what is missing, and must find it filled.
    update mpesa_receipts r set phone_enc = kaunta_erased_envelope(key), name_enc = kaunta_erased_envelope(key),
        reference = coalesce((select t.reference from mpesa_transactions t
                              where t.bar_id = r.bar_id and t.reference = r.reference), '')
    from erased_rows e where e.kind = 'receipt' and r.id = e.row::uuid
      and (r.phone_enc is null or r.name_enc is null
           or substr(r.phone_enc, 7, 16) <> mark
           or substr(r.name_enc, 7, 16) <> mark);
    get diagnostics n = row_count;
    done := done + n;
    update mpesa_callbacks c set body_enc = kaunta_erased_envelope(key)
    from erased_rows e where e.kind = 'message' and c.id = e.row::bigint and c.processed_at is not null
      and substr(c.body_enc, 7, 16) <> mark;
    get diagnostics n = row_count;
    done := done + n;
    update statement_lines l set party_enc = null
    from erased_rows e where e.kind = 'line' and l.id = e.row::bigint and l.party_enc is not null and l.look_at is null;
    get diagnostics n = row_count;
    done := done + n;
    delete from guest_payments g using erased_rows e where e.kind = 'payment' and g.transaction_id = e.row::uuid;
    delete from idempotency_keys k using erased_rows e where e.kind = 'payment' and k.transaction_id = e.row::uuid;
    return done;
end $$;

-- Erases what is named. `phone`: the keyed hash that tries and blocks know the person by.
create function kaunta_erase(
    erasure uuid, moment timestamptz, who text, phone bytea, payment_ids uuid[], receipt_ids uuid[],
    message_ids bigint[], line_ids bigint[]
) returns integer language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from mpesa_transactions t where t.id = any(payment_ids)
               and t.status in ('pending', 'sent', 'timeout')) then
        raise exception 'a payment of this person is open'
            using errcode = 'check_violation', constraint = 'erasures_nothing_open';
    end if;
    insert into erasures (id, at, by, payments, receipts, messages, lines)
        values (erasure, moment, who, cardinality(payment_ids), cardinality(receipt_ids), cardinality(message_ids),
                cardinality(line_ids));
    insert into erased_rows (kind, row)
        select 'payment', unnest(payment_ids)::text union select 'receipt', unnest(receipt_ids)::text
        union select 'message', unnest(message_ids)::text union select 'line', unnest(line_ids)::text
        on conflict do nothing;
    update payment_tries set phone_hash = null, source = null where phone_hash = phone;
    update prompt_blocks set phone_hash = kaunta_chance() where phone_hash = phone;
    return kaunta_overwrite();
end $$;

-- Overwrites what came, or came back, after it had been erased; how many rows. Where there is nothing, no word stays.
create function kaunta_erase_again(moment timestamptz) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    done integer;
begin
    insert into erasures (id, at, by, payments, receipts, messages, lines)
        values (gen_random_uuid(), moment, 'kaunta', 0, 0, 0, 0);
    done := kaunta_overwrite();
    if done = 0 then
        raise exception 'nothing' using errcode = 'no_data_found';
    end if;
    return done;
exception when no_data_found then
    return 0;
end $$;
revoke all on function kaunta_overwrite() from public;
revoke all on function kaunta_erase(uuid, timestamptz, text, bytea, uuid[], uuid[], bigint[], bigint[]) from public;
revoke all on function kaunta_erase_again(timestamptz) from public;

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    grant select on erasures, erased_rows to kaunta_app, kaunta_worker, kaunta_reader;
    grant execute on function kaunta_erase(uuid, timestamptz, text, bytea, uuid[], uuid[], bigint[], bigint[])
        to kaunta_app;
    grant execute on function kaunta_erase_again(timestamptz) to kaunta_worker;
end $$;
