-- Events of the live stream.

-- name: emit_event(kind, area_code, payload)$
-- An area that is not known becomes the empty path, which only those see whose scope is everything.
select emit_event_at(
    :kind,
    coalesce((select path from area where code = :area_code::text and valid_to is null), ''),
    :payload
);

-- name: emit_event_at(kind, area_path, payload)$
select emit_event_at(:kind, :area_path, :payload);

-- name: events_handed_out()$
-- Not transactional: ids that were handed out, committed or not.
select last_value from event_id_seq;

-- name: events_settled(handed_out)$
-- Call in a statement after `events_handed_out`.
select event_settled(:handed_out);

-- name: events_between(after, upto, count)
-- Events after one id, up to and with another.
select id, kind, area_path, payload
from event
where id > :after and id <= :upto
order by id
limit :count;

-- name: oldest_event()$
select min(id) from event;

-- name: prune_events(before)!
delete from event where created_at < :before;

-- name: tell_session_over(session_id)$
select pg_notify('gridward_session', :session_id::text);

-- name: migrations_noted()$
-- Whether anything was ever noted as applied here.
select to_regclass('_yoyo_migration') is not null;

-- name: applied_migrations()
select migration_id as name from _yoyo_migration order by migration_id;

-- name: lock_migrations(key)$
select pg_advisory_lock(:key)::text;

-- name: lock_out_migrations(key)$
select pg_advisory_lock_shared(:key)::text;

-- name: own_pid()$
select pg_backend_pid();

-- name: standing_of_backends(pids)
-- Whether each has done all that it was asked for, and since when it stands as it does.
select pid, starts_with(state, 'idle') as rests, state_change as since
from pg_stat_activity
where pid = any(:pids::integer[]);

-- name: end_backends(pids)
-- Those that rest: one that has begun to work since is not the one that was looked at.
select pg_terminate_backend(pid)
from pg_stat_activity
where pid = any(:pids::integer[]) and starts_with(state, 'idle');

-- name: has_prewarm()$
select exists (select from pg_extension where extname = 'pg_prewarm');

-- name: block_bytes()$
select current_setting('block_size')::bigint;

-- name: buffer_bytes()$
select pg_size_bytes(current_setting('shared_buffers'));

-- name: relations_to_warm(tables)
-- All indexes before any rows: every question goes through one of those.
select r.oid::bigint as oid, r.oid::regclass::text as name,
    pg_relation_size(r.oid) / current_setting('block_size')::bigint as blocks
from unnest(:tables::text[]) with ordinality as wanted (name, place)
cross join lateral (select to_regclass(wanted.name)::oid as oid) t
cross join lateral (
    select indexrelid as oid, 0 as rank from pg_index where indrelid = t.oid and indisvalid
    union all
    select t.oid, 1
) r
where t.oid is not null and pg_relation_size(r.oid) > 0
order by r.rank, wanted.place, 2;

-- name: warm(relation, first, last)$
select pg_prewarm(:relation::oid::regclass, 'buffer', 'main', :first::bigint, :last::bigint);
