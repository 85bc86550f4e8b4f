-- Events of the live stream.
-- depends: 0001_access

create sequence event_id_seq as bigint;
-- From here on last_value is an id that was handed out: the bound below reads it so.
select setval('event_id_seq', 1);

create table event (
    id bigint primary key,
    kind text not null,
    area_path text collate "C" not null,
    payload jsonb not null,
    created_at timestamptz not null default clock_timestamp()
);
create index event_age on event (created_at);

-- Before a transaction takes its first id it takes a shared advisory lock whose key is the last id handed out so far:
-- all ids of that transaction are higher. The lock goes with the transaction, so the lowest key held is a bound below
-- which nothing can still appear. 18498 (0x4842) in the upper 16 bits marks these locks; correlation uses the form of two integers.
create function emit_event_at(event_kind text, event_path text, event_payload jsonb) returns void
language plpgsql as $$
declare
    mine text := pg_current_xact_id()::text;
begin
    if current_setting('gridward.emitting', true) is distinct from mine then
        perform pg_advisory_xact_lock_shared((18498::bigint << 48) | (select last_value from event_id_seq));
        perform set_config('gridward.emitting', mine, true);
    end if;
    insert into event (id, kind, area_path, payload)
        values (nextval('event_id_seq'), event_kind, event_path, event_payload);
    perform pg_notify('gridward_event', '');
end
$$;

-- The highest id up to which every event is either visible to the caller's next statement or will never be.
-- `handed_out` must have been read from the sequence in an earlier statement.
create function event_settled(handed_out bigint) returns bigint
language sql volatile as $$
    select least(handed_out, min((classid::bigint << 32 | objid::bigint) & ((1::bigint << 48) - 1)))
    from pg_locks
    where locktype = 'advisory' and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())
      and classid::bigint >> 16 = 18498
$$;
