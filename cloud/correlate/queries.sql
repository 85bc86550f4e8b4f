-- Nodes that are away, each with the one incident that says so.

-- name: newly_absent(before, heard_since)
-- A last will says it of a node. One that only fell silent is away while others are heard.
select
    node.id as node_id, node.name as node, node.district, node.area_code, itself.id as device_id,
    node.presence_since as since,
    (
        select count(*)::integer from device
        where device.node_id = node.id and device.declared and device.id is distinct from itself.id
    ) as devices
from node
left join device itself on itself.node_id = node.id and itself.name = node.name and itself.kind = 'node' and itself.declared
where node.presence_session is not null and node.presence_since < :before
    and (
        node.presence = 'lost'
        or (
            node.presence = 'unknown' and node.last_seen_at < :before
            and exists (select from node other where other.presence = 'online' and other.last_seen_at > :heard_since)
        )
    )
    and not exists (select from node_absence where node_absence.node_id = node.id)
order by node.id
limit 500;

-- name: note_absence(node_id, incident_id, began_at, devices)$
insert into node_absence (node_id, incident_id, revision, began_at, devices)
values (:node_id, :incident_id, 1, :began_at, :devices)
on conflict do nothing
returning node_id;

-- name: back_again()
-- The rows go; what they were comes back.
with back as (
    delete from node_absence
    using node
    where node.id = node_absence.node_id and node.presence = 'online'
    returning node_absence.node_id, node_absence.incident_id, node_absence.revision, node_absence.began_at,
        node_absence.devices
)
select
    back.node_id, node.name as node, node.district, node.area_code, itself.id as device_id, back.began_at as since,
    back.devices, back.incident_id, back.revision + 1 as revision
from back
join node on node.id = back.node_id
left join device itself on itself.node_id = node.id and itself.name = node.name and itself.kind = 'node' and itself.declared
order by back.node_id;
