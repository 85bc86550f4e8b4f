-- Lists and maps over years of cases: what is open is found without what is closed, what is rare without what is common.
-- depends: 0033_accounts

-- In the order of lists. The other columns are looked at in the index: a filter that nothing fits reads no case, and what is open is
-- counted without reading cases at all.
create index grid_case_running_newest on grid_case (id desc, status, severity, kind, area_path, drill)
    where status not in ('rejected', 'closed', 'merged', 'voided');
create index grid_case_kind on grid_case (kind, severity, id desc);
create index grid_case_severity on grid_case (severity, id desc);
create index case_link_waiting_case on case_link_waiting (case_id);

-- A case as lists, details and the live stream show it.
create or replace view case_summary as
select c.id, c.number, c.correlation_key, c.kind, c.category, c.severity, c.status, c.version, c.area_code,
    c.area_path, c.node, c.device, c.device_id, c.device_kind, c.spot, c.opened_at, c.started_at, c.last_activity_at,
    c.late, c.simulated, c.origin, c.drill, c.title, c.description, c.longitude, c.latitude, c.address, c.worker_id,
    c.checker_id, c.department_id, c.verified_at, c.filed_at, c.dispatched_at, c.accepted_at, c.resolved_at,
    c.resolved_by, c.ended_at, c.suspended_until, c.merged_into, c.merged_from, c.urged_at, c.reworks, c.returns,
    c.reopenings, c.rating,
    coalesce(d.title, d.name, c.device) as device_name,
    dep.code as department_code,
    dep.name as department_name,
    w.display_name as worker_name,
    (
        -- by each code of the path: the planner would read all areas otherwise, for every case
        select jsonb_object_agg(a.level, jsonb_build_object('code', a.code, 'name', a.name))
        from unnest(string_to_array(rtrim(c.area_path, '/'), '/')) as part (code)
        join area a on a.code = part.code and a.valid_from <= c.opened_at and (a.valid_to is null or a.valid_to > c.opened_at)
    ) as areas,
    (select count(*) from case_incident ci where ci.case_id = c.id) as incident_count,
    exists (select from incident i where i.case_id = c.id and i.state <> 'ended') as ongoing,
    (
        -- of the newest incidents only: a sensor that flaps for weeks has thousands
        select e.sha256
        from (select incident_id from case_incident where case_id = c.id order by incident_id desc limit 50) ci
        join incident_evidence ie on ie.incident_id = ci.incident_id
        join evidence e on e.node = ie.node and e.sha256 = ie.sha256
        where e.kind = 'snapshot' and e.stored_at is not null
        order by ie.captured_at desc, e.sha256
        limit 1
    ) as picture
from grid_case c
left join device d on d.id = c.device_id
left join department dep on dep.id = c.department_id
left join account w on w.id = c.worker_id;
