-- Lists of what is rare, clocks by their light, the counts of the moment: an index tells what fits, and cases are read only to be shown.
-- depends: 0040_figures_of_whole_cases

-- In the order of lists, with all that lists are narrowed by: what fits is found in one index alone.
drop index grid_case_area;
drop index grid_case_status;
drop index grid_case_kind;
drop index grid_case_severity;
create index grid_case_area on grid_case (area_path, id desc, status, severity, kind);
create index grid_case_status on grid_case (status, id desc, severity, kind, area_path);
create index grid_case_kind on grid_case (kind, id desc, status, severity, area_path);
-- The others are found soon wherever one looks.
create index grid_case_severity on grid_case (severity, id desc, status, kind, area_path) where severity in ('high', 'critical');

-- What came today is counted without reading it.
drop index grid_case_opened;
create index grid_case_opened on grid_case (opened_at, severity, area_path, drill);
drop index incident_received;
create index incident_received on incident (received_at, case_id);

-- A light is a matter of both instants, an area one of its path.
drop index case_clock_due;
create index case_clock_due on case_clock (due_at, id, amber_at, area_path, case_id) where state = 'running';

-- What somebody was told is gathered into threads without reading it.
drop index notice_thread;
create index notice_thread on notice (account_id, case_id, id desc, seen_at);

-- A fifth of all cases, before anything is tidied, is months of them: what is open would lie scattered among what was, and each count
-- would go back to the cases themselves.
alter table grid_case set (autovacuum_vacuum_scale_factor = 0.005, autovacuum_vacuum_insert_scale_factor = 0.005, autovacuum_analyze_scale_factor = 0.005);
alter table case_clock set (autovacuum_vacuum_scale_factor = 0.005, autovacuum_vacuum_insert_scale_factor = 0.005, autovacuum_analyze_scale_factor = 0.005);
alter table incident set (autovacuum_vacuum_scale_factor = 0.005, autovacuum_vacuum_insert_scale_factor = 0.005, autovacuum_analyze_scale_factor = 0.005);

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
        -- `offset 0`: each code of the path by itself. A code in the collation of paths ("C") is in no index of codes: all areas would be
        -- read for every case.
        select jsonb_object_agg(a.level, jsonb_build_object('code', a.code, 'name', a.name))
        from unnest(string_to_array(rtrim(c.area_path, '/'), '/')) as part (code)
        cross join lateral (
            select r.level, r.code, r.name from area r
            where r.code = part.code collate "default" and r.valid_from <= c.opened_at and (r.valid_to is null or r.valid_to > c.opened_at)
            offset 0
        ) a
    ) as areas,
    (select count(*) from case_incident ci where ci.case_id = c.id) as incident_count,
    -- `offset 0`: of this case, and not of all that have any
    exists (select from incident i where i.case_id = c.id and i.state <> 'ended' offset 0) as ongoing,
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
