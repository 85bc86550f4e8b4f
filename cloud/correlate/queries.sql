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

-- Cases that an incident may belong to, and what they are made of.

-- name: places_of(device_ids)
-- Where devices stand, and over which line they are reached.
select id, longitude, latitude, behind from device where id = any(:device_ids::bigint[]);

-- name: candidates(node, device, zone, rule, danger, spot, link, grid_code, west, east, south, north, from_at, to_at, drill_id)
-- Cases of one danger: of the same device, at the same spot, behind the same line, or near in the same grid. Locked, in the order of
-- their ids. A merged one comes with the case that it was merged into.
with near as (
    (
        select case_id, last_at from case_source
        where node = :node and device = :device and danger = :danger and last_at >= :from_at
        order by last_at desc limit 20
    )
    union all
    (
        select case_id, last_at from case_source
        where node = :node and spot = :spot and danger = :danger and last_at >= :from_at
        order by last_at desc limit 40
    )
    union all
    (
        select case_id, last_at from case_source
        where node = :node and link = :link and danger = :danger and last_at >= :from_at
        order by last_at desc limit 40
    )
    union all
    (
        select case_id, last_at from case_source
        where grid_code = :grid_code and danger = :danger and last_at >= :from_at
          and longitude between :west and :east and latitude between :south and :north
        order by last_at desc limit 40
    )
), chosen as (
    select case_id from near group by case_id order by max(last_at) desc limit 40
)
select c.id, c.status, c.severity::text as severity, c.started_at, c.last_activity_at, c.late, c.simulated,
    coalesce(c.ended_at, c.resolved_at) as settled_at, c.merged_into, e.until as echo_until, e.severity::text as echo_severity,
    (
        select reason from case_event where case_id = c.id and action = 'dismiss' and c.status = 'rejected'
        order by id desc limit 1
    ) as reason,
    (select coalesce(sum(incidents), 0)::integer from case_source where case_id = c.id) as incidents,
    (select count(*)::integer from case_source where case_id = c.id) as sources,
    exists (
        select from case_source where case_id = c.id and node = :node and link = :link and danger = :danger
    ) as same_link,
    (
        select array[incidents, from_medium, from_high, critical] from case_source
        where case_id = c.id and node = :node and device = :device and danger = :danger and zone = :zone and rule = :rule
    ) as own
from grid_case c
join chosen on chosen.case_id = c.id
left join case_echo e on e.case_id = c.id
where c.drill = (:drill_id::bigint is not null) and c.drill_id is not distinct from :drill_id
  and c.status <> 'voided' and c.started_at <= :to_at
order by c.id
for no key update of c;

-- name: merge_target_of(case_id, drill_id)^
-- The case that has taken another one in, at the end of however many mergers; locked.
with recursive chain as (
    select merged_into as id from grid_case where id = :case_id
    union
    select c.merged_into from chain join grid_case c on c.id = chain.id
    where c.merged_into is not null
)
select c.id, c.status, c.severity::text as severity, c.started_at, c.last_activity_at, c.late, c.simulated,
    coalesce(c.ended_at, c.resolved_at) as settled_at, e.until as echo_until, e.severity::text as echo_severity, null as reason,
    (select coalesce(sum(incidents), 0)::integer from case_source where case_id = c.id) as incidents,
    (select count(*)::integer from case_source where case_id = c.id) as sources
from chain
join grid_case c on c.id = chain.id
left join case_echo e on e.case_id = c.id
where c.merged_into is null and c.drill = (:drill_id::bigint is not null) and c.drill_id is not distinct from :drill_id
for no key update of c;

-- name: lock_cases_near(nodes, incident_ids, devices, dangers, spots, links, grid_codes, wests, easts, souths, norths, from_ats)
-- Every case that a batch may come to, locked in the order of ids before the first is worked on: of what was found before, those that it is in;
-- those of the same danger, see `candidates`; and whatever took these in.
with recursive source as (
    select *
    from unnest(
        :nodes::text[], :incident_ids::uuid[], :devices::text[], :dangers::text[], :spots::text[], :links::text[], :grid_codes::text[],
        :wests::float8[], :easts::float8[], :souths::float8[], :norths::float8[], :from_ats::timestamptz[]
    ) as s (node, incident_id, device, danger, spot, link, grid_code, west, east, south, north, from_at)
), near as (
    select i.case_id from source s join incident i on i.node = s.node and i.incident_id = s.incident_id where i.case_id is not null
    union
    select found.case_id
    from source s
    cross join lateral (
        (
            select case_id from case_source
            where node = s.node and device = s.device and danger = s.danger and last_at >= s.from_at
            order by last_at desc limit 20
        )
        union all
        (
            select case_id from case_source
            where node = s.node and spot = s.spot and danger = s.danger and last_at >= s.from_at
            order by last_at desc limit 40
        )
        union all
        (
            select case_id from case_source
            where node = s.node and link = s.link and danger = s.danger and last_at >= s.from_at
            order by last_at desc limit 40
        )
        union all
        (
            select case_id from case_source
            where grid_code = s.grid_code and danger = s.danger and last_at >= s.from_at
              and longitude between s.west and s.east and latitude between s.south and s.north
            order by last_at desc limit 40
        )
    ) found
), chain as (
    select case_id from near
    union
    select c.merged_into from chain join grid_case c on c.id = chain.case_id where c.merged_into is not null
)
select id from grid_case where id in (select case_id from chain) order by id for no key update;

-- name: lock_case(case_id)^
select id from grid_case where id = :case_id for no key update;

-- name: standing_of(case_id)^
select c.id, c.status, c.severity::text as severity, c.started_at, c.last_activity_at, c.late, c.simulated,
    coalesce(c.ended_at, c.resolved_at) as settled_at, e.until as echo_until, e.severity::text as echo_severity,
    (select coalesce(sum(incidents), 0)::integer from case_source where case_id = c.id) as incidents,
    (select count(*)::integer from case_source where case_id = c.id) as sources
from grid_case c
left join case_echo e on e.case_id = c.id
where c.id = :case_id;

-- name: count_incident(case_id, node, device, zone, rule, danger, spot, link, grid_code, longitude, latitude, from_medium, from_high, critical, last_at)$
insert into case_source (
    case_id, node, device, zone, rule, danger, spot, link, grid_code, longitude, latitude, incidents, from_medium, from_high,
    critical, last_at
) values (
    :case_id, :node, :device, :zone, :rule, :danger, :spot, :link, :grid_code, :longitude, :latitude, 1, :from_medium, :from_high,
    :critical, :last_at
)
on conflict (case_id, node, device, danger, zone, rule) do update set
    incidents = case_source.incidents + 1,
    from_medium = case_source.from_medium + excluded.from_medium,
    from_high = case_source.from_high + excluded.from_high,
    critical = case_source.critical + excluded.critical,
    last_at = greatest(case_source.last_at, excluded.last_at)
returning (
    -- as the statement found it, without this one
    select coalesce(sum(whole.incidents), 0)::integer from case_source whole where whole.case_id = case_source.case_id
) + 1;

-- name: reach(case_id, node, device, zone, rule, danger, last_at)!
update case_source set last_at = :last_at
where case_id = :case_id and node = :node and device = :device and danger = :danger and zone = :zone and rule = :rule
  and last_at < :last_at;

-- name: begin_echo(case_id, until, severity)!
insert into case_echo (case_id, until, severity) values (:case_id, :until, :severity::severity);

-- name: folding_of(case_id, count)
select s.node, s.device, coalesce(d.title, d.name, s.device) as device_name, coalesce(d.simulated, false) as simulated, s.zone, s.rule, s.incidents, s.from_medium,
    s.from_high, s.critical, s.last_at
from case_source s
left join device d on d.name = s.device and d.node_id = (select id from node where node.name = s.node)
where s.case_id = :case_id
order by s.incidents desc, s.node, s.device, s.danger, s.zone, s.rule
limit :count;

-- name: linked_to(case_id, scope, department, count)
-- Cases that come after this one or broke out of it, and those that it came after.
select distinct c.id, c.number, c.kind, c.severity::text as severity, c.status, c.opened_at, c.simulated
from case_event e
join grid_case c on c.id = case when e.case_id = :case_id then e.other_case_id else e.case_id end
where e.action in ('opened', 'came_again', 'continued', 'false_alarm_again')
  and ((e.case_id = :case_id and e.other_case_id is not null) or e.other_case_id = :case_id)
  and c.id <> :case_id and c.area_path ^@ :scope
  and (
    :department::bigint is null
    or exists (select from case_department told where told.case_id = c.id and told.department_id = :department)
  )
order by c.id desc
limit :count;

-- What may become a case.

-- name: admission_rules(with_ended, scope)
-- Those of the areas above count in a scope too: what becomes no case there is by them.
select r.id as rule_id, r.area_code, place.path as area_path, r.level, r.category, r.kind, r.admitted_from::text as admitted_from,
    r.note, r.made_by, r.made_at, r.ended_by, r.ended_at,
    case when :with_ended
        then (select count(*)::integer from incident where unadmitted_by = r.id and unadmitted_path ^@ :scope) else 0
    end as incidents
from admission_rule r
left join area a on a.code = r.area_code and a.valid_to is null
cross join lateral (select coalesce(a.path, case when r.area_code is null then '' else r.area_code || '/' end)) as place (path)
where (r.ended_at is null or :with_ended)
  and (place.path ^@ :scope or :scope ^@ place.path)
order by r.id desc
limit 1000;

-- name: add_admission_rule(area_code, level, category, kind, admitted_from, note, made_by, made_at)$
insert into admission_rule (area_code, level, category, kind, admitted_from, note, made_by, made_at)
values (:area_code, :level, :category, :kind, :admitted_from::severity, :note, :made_by, :made_at)
on conflict do nothing
returning id;

-- name: end_admission_rule(rule_id, ended_by, ended_at)!
update admission_rule set ended_by = :ended_by, ended_at = :ended_at where id = :rule_id and ended_at is null;

-- name: unadmitted(scope, rule_id, before, count)
select i.id, i.incident_id, i.node, i.device, i.kind, i.category, i.severity::text as severity, i.state, i.started_at,
    i.updated_at, i.ended_at, i.received_at, i.simulated, i.unadmitted_by as rule_id
from incident i
where i.unadmitted_by is not null and i.unadmitted_path ^@ :scope
  and (:rule_id::bigint is null or i.unadmitted_by = :rule_id)
  and (:before::bigint is null or i.id < :before)
order by i.id desc
limit :count;

-- name: found_lately(scope, since, until, count)
-- What was found, by where and what it is; a case by what it is now, where it was opened.
with found as (
    select coalesce(c.area_path, i.unadmitted_path) as area_path, i.kind, i.category, i.severity, 1 as incidents, 0 as cases
    from incident i left join grid_case c on c.id = i.case_id
    where i.received_at >= :since and i.received_at < :until and i.order_id is null and not coalesce(c.drill, false)
    union all
    select c.area_path, c.kind, c.category, c.severity, 0, 1
    from grid_case c
    where c.opened_at >= :since and c.opened_at < :until and c.origin = 'machine' and not c.drill
), grouped as (
    select area_path, kind, category, severity, sum(incidents)::integer as incidents, sum(cases)::integer as cases
    from found where area_path ^@ :scope
    group by area_path, kind, category, severity
    limit :count
)
select g.area_path, a.id as area_id, a.level, a.name, g.kind, g.category, g.severity::text as severity, g.incidents, g.cases
from grouped g
left join area a on a.path = g.area_path and a.valid_to is null;

-- name: admit(case_id, id)!
update incident set unadmitted_by = null, unadmitted_path = null, case_id = :case_id where id = :id;
