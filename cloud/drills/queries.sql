-- Drills: what is exercised with, who takes part, what came of it.

-- name: exercises(nodes, from_at, to_at)
-- Drills that lasted at some time of a window, with what of these nodes was chosen.
select d.id as drill_id, d.area_path, d.started_at, coalesce(d.ended_at, d.planned_end_at) as until,
    array_agg(array[s.node, coalesce(s.device, ''), coalesce(s.rule, '')]) as sources,
    (select coalesce(array_agg(array[l.node, l.device]), '{}') from drill_leaver l where l.drill_id = d.id) as left_by
from drill d
join drill_source s on s.drill_id = d.id
where s.node = any(:nodes::text[]) and d.started_at <= :to_at and coalesce(d.ended_at, d.planned_end_at) > :from_at
group by d.id;

-- name: lock_starting()$
-- Who starts a drill looks first at those that run.
select pg_advisory_xact_lock(36, 0);

-- name: running_sources(nodes, now)
select d.name, s.node, coalesce(s.device, '') as device, coalesce(s.rule, '') as rule
from drill d join drill_source s on s.drill_id = d.id
where s.node = any(:nodes::text[]) and d.ended_at is null and d.planned_end_at > :now;

-- name: drilled(nodes, from_at, except_id)
-- When what of these nodes took part in drills since a time, but for one of them.
select s.node, coalesce(s.device, '') as device, coalesce(s.rule, '') as rule, d.started_at,
    coalesce(d.ended_at, d.planned_end_at) as until
from drill d join drill_source s on s.drill_id = d.id
where s.node = any(:nodes::text[]) and coalesce(d.ended_at, d.planned_end_at) > :from_at
  and d.id is distinct from :except_id::bigint;

-- name: sources_chosen(drill_id)
select node, coalesce(device, '') as device, coalesce(rule, '') as rule from drill_source where drill_id = :drill_id;

-- name: paths_of(nodes)
-- Where nodes and their devices lie; a device of its node where it has no grid of its own.
select n.name as node, '' as device, a.path
from node n left join area a on a.code = n.area_code and a.valid_to is null
where n.name = any(:nodes::text[])
union all
select n.name, d.name, a.path
from node n
join device d on d.node_id = n.id
left join area a on a.code = coalesce(d.grid_code, n.area_code) and a.valid_to is null
where n.name = any(:nodes::text[]) and d.declared;

-- name: insert_drill(name, purpose, area_code, area_path, reports, channels, started_at, started_by, planned_end_at)$
insert into drill (name, purpose, area_code, area_path, reports, channels, started_at, started_by, planned_end_at)
values (:name, :purpose, :area_code, :area_path, :reports, :channels, :started_at, :started_by, :planned_end_at)
returning id;

-- name: insert_sources(drill_id, nodes, devices, rules)!
insert into drill_source (drill_id, node, device, rule)
select distinct :drill_id::bigint, node, nullif(device, ''), nullif(rule, '')
from unnest(:nodes::text[], :devices::text[], :rules::text[]) as chosen (node, device, rule);

-- name: insert_departments(drill_id, department_ids)!
insert into drill_department (drill_id, department_id)
select distinct :drill_id::bigint, department_id from unnest(:department_ids::bigint[]) as named (department_id);

-- name: insert_step(drill_id, at, actor_id, action, until, case_id, note)!
insert into drill_step (drill_id, at, actor_id, action, until, case_id, note)
values (:drill_id, :at, :actor_id, :action, :until, :case_id, :note);

-- name: lock_drill(drill_id)^
select id, area_path, started_at, planned_end_at, ended_at from drill where id = :drill_id for update;

-- name: prolong(planned_end_at, drill_id)!
update drill set planned_end_at = :planned_end_at where id = :drill_id;

-- name: end_drill(ended_at, ended_by, drill_id)!
update drill set ended_at = :ended_at, ended_by = :ended_by where id = :drill_id;

-- name: due(now, count)
select id, planned_end_at from drill where ended_at is null and planned_end_at <= :now
order by planned_end_at, id limit :count for update skip locked;

-- name: drill(drill_id)^
select d.id, d.name, d.purpose, d.area_code, d.area_path, a.name as area_name, d.reports, d.channels, d.started_at,
    p.display_name as started_by_name, d.planned_end_at, d.ended_at, e.display_name as ended_by_name,
    (select count(*) from grid_case c where c.drill_id = d.id) as cases,
    (select count(*) from incident i where i.drill_id = d.id and i.state <> 'ended') as going_on,
    array(select t.department_id from drill_department t where t.drill_id = d.id order by 1) as departments
from drill d
left join area a on a.code = d.area_code and a.valid_to is null
left join account p on p.id = d.started_by
left join account e on e.id = d.ended_by
where d.id = :drill_id;

-- name: drills(scope, department, running, now, before, count)
-- Those that concern a scope: inside of it, or around it; of a department those in which it takes part.
select d.id, d.name, d.purpose, d.area_code, d.area_path, a.name as area_name, d.reports, d.channels, d.started_at,
    p.display_name as started_by_name, d.planned_end_at, d.ended_at, e.display_name as ended_by_name,
    (select count(*) from grid_case c where c.drill_id = d.id) as cases,
    (select count(*) from incident i where i.drill_id = d.id and i.state <> 'ended') as going_on
from drill d
left join area a on a.code = d.area_code and a.valid_to is null
left join account p on p.id = d.started_by
left join account e on e.id = d.ended_by
where (d.area_path ^@ :scope or :scope ^@ d.area_path)
  and (
    :department::bigint is null
    or exists (select from drill_department p where p.drill_id = d.id and p.department_id = :department)
  )
  and (not :running or (d.ended_at is null and d.planned_end_at > :now))
  and (:before::bigint is null or d.id < :before)
order by d.id desc
limit :count;

-- name: sources_of(drill_id)
select s.node, coalesce(s.device, '') as device, coalesce(s.rule, '') as rule, coalesce(v.title, v.name) as title,
    coalesce(v.simulated, false) as simulated,
    (select max(l.left_at) from drill_leaver l where l.drill_id = s.drill_id and l.node = s.node and l.device = s.device) as left_at
from drill_source s
left join node n on n.name = s.node
left join device v on v.node_id = n.id and v.name = s.device
where s.drill_id = :drill_id
order by s.node, s.device nulls first, s.rule nulls first;

-- name: departments_of(drill_id)
select p.id, p.name from drill_department d join department p on p.id = d.department_id where d.drill_id = :drill_id order by p.name;

-- name: steps_of(drill_id)
select s.at, p.display_name as by, s.action, s.until, s.case_id, c.number as case_number, s.note
from drill_step s
left join account p on p.id = s.actor_id
left join grid_case c on c.id = s.case_id
where s.drill_id = :drill_id
order by s.id;

-- name: drill_for_reports(area_path, now)$
-- The running drill into which people may report at a place: the nearest around it.
select id from drill
where reports and ended_at is null and planned_end_at > :now and started_at <= :now and :area_path ^@ area_path
order by length(area_path) desc, id desc
limit 1;

-- name: bounds_of_case(case_id)^
select coalesce(d.area_path, c.area_path) as area_path, coalesce(d.channels, false) as channels, d.started_by,
    array(select department_id from drill_department p where p.drill_id = d.id) as departments
from grid_case c left join drill d on d.id = c.drill_id
where c.id = :case_id and c.drill;

-- name: drill_of_case(case_id)$
select drill_id from grid_case where id = :case_id;

-- name: mark_case(drill_id, case_id)!
update grid_case set drill_id = :drill_id where id = :case_id and drill;

-- name: mark_incident(drill_id, row_id)!
update incident set drill_id = :drill_id where id = :row_id;

-- name: exercised_incident(row_id)^
select i.revision, i.severity::text as severity, coalesce(d.ended_at, d.planned_end_at) as until
from incident i join drill d on d.id = i.drill_id
where i.id = :row_id;

-- name: release_incident(row_id)!
update incident set drill_id = null where id = :row_id;

-- name: release_from_cases(row_id)!
delete from case_incident l using grid_case c where c.id = l.case_id and c.drill and l.incident_id = :row_id;

-- name: leave(drill_id, node, device, at)!
insert into drill_leaver (drill_id, node, device, left_at) values (:drill_id, :node, :device, :at)
on conflict do nothing;

-- name: cases_of(drill_id, count)
select c.id, c.number, c.title, c.kind, c.severity::text as severity, c.status, c.origin, c.simulated, c.area_path, c.opened_at,
    c.verified_at, c.dispatched_at, c.accepted_at, c.resolved_at, c.ended_at, v.name as department
from grid_case c
left join department v on v.id = c.department_id
where c.drill_id = :drill_id
order by c.id
limit :count;

-- name: stage_times(drill_id)
-- How long each stage took over all cases of a drill: nearest rank, in seconds; `waiting` are those in which it has begun and not ended.
with spent as (
    select s.stage, c.ended_at, s.until_at,
        case when s.until_at is not null then greatest(0, extract(epoch from s.until_at - s.from_at))::float8 end as spent_s
    from grid_case c
    cross join lateral (
        values
            ('verify', c.opened_at, c.verified_at),
            ('dispatch', c.verified_at, c.dispatched_at),
            ('receipt', c.dispatched_at, c.accepted_at),
            ('handling', c.accepted_at, c.resolved_at),
            ('close', c.opened_at, c.ended_at)
    ) as s (stage, from_at, until_at)
    where c.drill_id = :drill_id and s.from_at is not null
)
select named.stage,
    count(spent.until_at)::integer as cases,
    (count(*) filter (where spent.stage is not null and spent.until_at is null and spent.ended_at is null))::integer as waiting,
    percentile_disc(0.5) within group (order by spent.spent_s) as p50_s,
    percentile_disc(0.9) within group (order by spent.spent_s) as p90_s,
    max(spent.spent_s) as longest_s
from unnest(array['verify', 'dispatch', 'receipt', 'handling', 'close']) with ordinality as named (stage, place)
left join spent on spent.stage = named.stage
group by named.stage, named.place
order by named.place;

-- name: reactions_of(drill_id, count)
-- Who did something, how often, and how soon the first time after the case was opened.
select e.actor_id, a.display_name as person, a.role, count(*) as steps, count(distinct e.case_id) as cases,
    min(extract(epoch from e.at - c.opened_at))::float8 as first_after_s
from case_event e
join grid_case c on c.id = e.case_id
join account a on a.id = e.actor_id
where c.drill_id = :drill_id and e.action <> 'opened'
group by e.actor_id, a.display_name, a.role
order by first_after_s, e.actor_id
limit :count;

-- name: going_on(drill_id, count)
-- What was found for a drill and was not told to be over: in which case, or which order.
select i.node, i.device, i.kind, i.severity::text as severity, i.started_at, i.updated_at, i.case_id, c.number as case_number,
    o.number as order_number, i.simulated
from incident i
left join grid_case c on c.id = i.case_id
left join work_order o on o.id = i.order_id
where i.drill_id = :drill_id and i.state <> 'ended'
order by i.severity desc, i.id
limit :count;

-- name: counts_of(drill_id)^
select
    (select count(*) from incident where drill_id = :drill_id) as incidents,
    (select count(*) from grid_case where drill_id = :drill_id) as cases,
    (select count(*) from grid_case where drill_id = :drill_id and simulated) as simulated_cases,
    (select count(*) from work_order where drill_id = :drill_id) as work_orders,
    (select count(*) from command where drill_id = :drill_id) as commands,
    (select count(*) from notice n join grid_case c on c.id = n.case_id where c.drill_id = :drill_id and n.drill) as notices,
    (select count(*) from drill_step where drill_id = :drill_id and action = 'made_real') as made_real;
