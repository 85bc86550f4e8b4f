-- Commands to nodes. What is asked about a device belongs to the area of the device, which may be another than that of its node.

-- name: addressee(name, device, scope)^
-- A node and the session that is present, where the device (without one the node itself) lies in scope.
select
    node.id as node_id, node.name, node.district, coalesce(device.grid_code, node.area_code) as area_code,
    coalesce(area.path, '') as area_path, device.department as owner, node.presence, node.presence_since,
    coalesce(node.presence_session, node.session) as session, node.last_seen_at
from node
left join device on device.node_id = node.id and device.name = :device::text
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
where node.name = :name and coalesce(area.path, '') ^@ :scope;

-- name: is_in_scope(node, scope)$
-- Whether a node lies in scope, or any of its devices does.
select exists (
    select
    from node
    left join device on device.node_id = node.id and device.declared
    join area on area.code in (node.area_code, device.grid_code) and area.valid_to is null
    where node.name = :node and area.path ^@ :scope
) or (:scope = '' and exists (select from node where name = :node));

-- name: add_command(id, node_id, session, name, device, arguments, asked_by, asked_by_name, asked_at, deadline)$
-- Nothing comes back where one of this name runs on the node (and the device) already. What is asked of a device that takes part in a
-- drill is done all the same, and marked.
insert into command (id, node_id, session, name, device, arguments, asked_by, asked_by_name, asked_at, deadline, drill_id)
values (
    :id, :node_id, :session, :name, :device, :arguments, :asked_by, :asked_by_name, :asked_at, :deadline,
    (
        select max(d.id)
        from drill d
        join drill_source s on s.drill_id = d.id and s.rule is null
        join node n on n.name = s.node
        where n.id = :node_id and :device::text is not null and (s.device is null or s.device = :device)
          and d.started_at <= :asked_at and d.ended_at is null and d.planned_end_at > :asked_at
          and not exists (select from drill_leaver l where l.drill_id = d.id and l.node = s.node and l.device = :device)
    )
)
on conflict do nothing
returning id;

-- name: running_command(node_id, name, device)^
select id
from command
where node_id = :node_id and name = :name and coalesce(device, '') = coalesce(:device::text, '')
    and state in ('queued', 'sent', 'delivered');

-- name: command(id, scope)^
select
    command.id, node.name as node, node.district, coalesce(device.grid_code, node.area_code) as area_code,
    command.session, command.name, command.device,
    command.arguments, command.asked_by_name as asked_by, command.asked_at, command.deadline, command.state,
    command.sent_at, command.delivered_at, command.ended_at, command.reason, command.result
from command
join node on node.id = command.node_id
left join device on device.node_id = node.id and device.name = command.device
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
where command.id = :id and coalesce(area.path, '') ^@ :scope;

-- name: commands_of_node(node, name, scope, count)
-- The newest, without what they brought.
select
    command.id, node.name as node, node.district, coalesce(device.grid_code, node.area_code) as area_code,
    command.session, command.name, command.device,
    '{}'::jsonb as arguments, command.asked_by_name as asked_by, command.asked_at, command.deadline, command.state,
    command.sent_at, command.delivered_at, command.ended_at, command.reason, null::json as result
from command
join node on node.id = command.node_id
left join device on device.node_id = node.id and device.name = command.device
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
where node.name = :node and (:name::text is null or command.name = :name) and coalesce(area.path, '') ^@ :scope
order by command.asked_at desc, command.id desc
limit :count;

-- name: commands_to_send(now, again_before, count)
-- Those that were not sent yet, and those without an answer since. Two processes never take the same one.
select
    command.id, node.name as node, node.district, coalesce(device.grid_code, node.area_code) as area_code,
    command.session, command.name, command.device,
    command.arguments, command.asked_by_name as asked_by, command.asked_at, command.deadline, command.state,
    command.sent_at, command.delivered_at, command.ended_at, command.reason, command.result
from command
join node on node.id = command.node_id
left join device on device.node_id = node.id and device.name = command.device
where command.state in ('queued', 'sent', 'delivered') and command.deadline > :now
    and (command.sent_at is null or command.sent_at < :again_before or command.sent_at > :now)
order by command.id
limit :count
for no key update of command skip locked;

-- name: mark_sent(ids, sent_at, signed_by)!
update command
set state = case when state = 'queued' then 'sent' else state end, sent_at = :sent_at, signed_by = :signed_by
where id = any(:ids::uuid[]);

-- name: lock_answered(id, node_id)^
select
    command.id, node.name as node, node.district, coalesce(device.grid_code, node.area_code) as area_code,
    command.session, command.name, command.device,
    '{}'::jsonb as arguments, command.asked_by_name as asked_by, command.asked_at, command.deadline, command.state,
    command.sent_at, command.delivered_at, command.ended_at, command.reason, null::json as result
from command
join node on node.id = command.node_id
left join device on device.node_id = node.id and device.name = command.device
where command.id = :id and command.node_id = :node_id
for no key update of command;

-- name: set_state(id, state, at, is_last, reason, result)!
update command
set state = :state, delivered_at = coalesce(delivered_at, :at), ended_at = case when :is_last then :at::timestamptz end,
    reason = :reason, result = :result::json
where id = :id;

-- name: time_out(before, node_id)
-- Those whose deadline lies before a time; of one node, or of all.
with overdue as (
    select command.id, coalesce(device.grid_code, node.area_code) as area_code
    from command
    join node on node.id = command.node_id
    left join device on device.node_id = node.id and device.name = command.device
    where command.state in ('queued', 'sent', 'delivered') and command.deadline < :before
        and (:node_id::bigint is null or command.node_id = :node_id)
    order by command.id
    for no key update of command skip locked
)
update command
set state = 'timed_out', ended_at = deadline
from overdue, node
where command.id = overdue.id and node.id = command.node_id
returning
    command.id, node.name as node, node.district, overdue.area_code, command.session, command.name, command.device,
    '{}'::jsonb as arguments, command.asked_by_name as asked_by, command.asked_at, command.deadline, command.state,
    command.sent_at, command.delivered_at, command.ended_at, command.reason, null::json as result;

-- name: forget_results(before)!
update command
set result = null, arguments = '{}'
where ended_at < :before and (result is not null or arguments <> '{}');

-- name: prune_commands(before, fleeting, fleeting_before)!
delete from command
where ended_at is not null and (asked_at < :before or (name = any(:fleeting::text[]) and asked_at < :fleeting_before));
