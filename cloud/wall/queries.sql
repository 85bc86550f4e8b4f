-- The picture wall: leases of people on cameras, and the last picture of each.

-- name: cameras(scope, others, exceptions, account_id, device_ids, watched, after, count, now, longest)
-- A lease that ends later than any can was written before this machine's clock was set back.
select
    device.id as device_id, node.name as node, device.name as device, coalesce(device.title, device.name) as name,
    device.spot, area.code as area_code, area.name as area_name, coalesce(area.path, '') as area_path, device.simulated,
    device.presence_shown as presence, node.presence as node_presence, lease.began_at as lease_began_at,
    lease.until_at as lease_until,
    shown.asked_at, shown.absence, shown.absence_at, shown.captured_at as picture_at, shown.received_at,
    command.state as command_state, command.reason as command_reason
from device
join node on node.id = device.node_id
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
left join (
    select device_id, min(began_at) as began_at, max(until_at) as until_at
    from wall_lease
    where account_id = :account_id and until_at > :now and until_at <= :now + :longest::interval
    group by device_id
) lease on lease.device_id = device.id
left join wall_camera shown on shown.device_id = device.id
left join command on command.id = shown.command_id
where device.declared and device.kind = 'camera'
    and coalesce(area.path, '') ^@ :scope
    and (coalesce(device.department, '') = any(:exceptions::text[])) <> :others
    and device.id > :after
    and (:device_ids::bigint[] is null or device.id = any(:device_ids::bigint[]))
    and (not :watched or lease.device_id is not null)
order by device.id
limit :count;

-- name: lock_leases()$
-- Two who begin to look take turns, so that their leases together stay within the bound.
select pg_advisory_xact_lock(4, 0);

-- name: leased(now, longest)
select distinct device_id from wall_lease where until_at > :now and until_at <= :now + :longest::interval;

-- name: leases_of(account_id, now, longest)
-- What stands of a person, in all of his windows.
select device_id, session_id, page
from wall_lease
where account_id = :account_id and until_at > :now and until_at <= :now + :longest::interval;

-- name: take_lease(device_id, session_id, page, account_id, purpose, now, until, longest)^
-- `is_new`: the session had none that stands for this purpose, in no window.
with before as (
    select min(began_at) as began_at
    from wall_lease
    where device_id = :device_id and session_id = :session_id and purpose = :purpose
        and until_at > :now and until_at <= :now + :longest::interval
), taken as (
    insert into wall_lease (device_id, session_id, page, account_id, purpose, began_at, until_at)
    select :device_id, :session_id, :page, :account_id, :purpose, coalesce(before.began_at, :now), :until
    from before
    on conflict (device_id, session_id, page) do update
    set purpose = excluded.purpose, until_at = excluded.until_at, began_at = excluded.began_at
    returning device_id
)
select before.began_at is null as is_new from taken, before;

-- name: keep_leases(session_id, page, device_ids)!
-- This window shows these and nothing else.
delete from wall_lease
where session_id = :session_id and page = :page and device_id <> all(:device_ids::bigint[]);

-- name: note_asked(device_id, command_id, now)!
insert into wall_camera (device_id, command_id, asked_at)
values (:device_id, :command_id, :now)
on conflict (device_id) do update set command_id = excluded.command_id, asked_at = excluded.asked_at, absence = null;

-- name: asked_camera(node, camera, now, longest)^
-- A camera of this very node, and until when anybody looks at it.
select device.id as device_id, shown.received_at, (
    select max(until_at)
    from wall_lease
    where device_id = device.id and until_at > :now and until_at <= :now + :longest::interval
) as until_at
from device
join node on node.id = device.node_id
left join wall_camera shown on shown.device_id = device.id
where node.name = :node and device.name = :camera and device.kind = 'camera' and device.declared;

-- name: keep_picture(device_id, captured_at, now, picture)!
-- The newest stays, whichever came last; one that lies in the future was taken before a clock was set back.
insert into wall_camera (device_id, captured_at, received_at, picture)
values (:device_id, :captured_at, :now, :picture)
on conflict (device_id) do update
set captured_at = excluded.captured_at, received_at = excluded.received_at, picture = excluded.picture, absence = null
where wall_camera.captured_at is null or wall_camera.captured_at < excluded.captured_at or wall_camera.captured_at > :now;

-- name: keep_absence(device_id, absence, now)!
insert into wall_camera (device_id, absence, absence_at)
values (:device_id, :absence, :now)
on conflict (device_id) do update set absence = excluded.absence, absence_at = excluded.absence_at;

-- name: picture(device_id, account_id, scope, others, exceptions, since, now, longest)^
-- For one who looks at it, has its area still, and may look at its owner's cameras.
select shown.picture, shown.captured_at
from wall_camera shown
join device on device.id = shown.device_id
join node on node.id = device.node_id
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
where device.id = :device_id and device.declared and coalesce(area.path, '') ^@ :scope
    and (coalesce(device.department, '') = any(:exceptions::text[])) <> :others
    and shown.picture is not null and shown.received_at > :since
    and exists (
        select from wall_lease
        where device_id = device.id and account_id = :account_id
            and until_at > :now and until_at <= :now + :longest::interval
    );

-- name: forget_pictures(before, final)!
delete from wall_camera
where coalesce(greatest(received_at, asked_at, absence_at), '-infinity') not between :before and :final;

-- name: forget_leases(now, longest)!
delete from wall_lease where until_at <= :now or until_at > :now + :longest::interval;
