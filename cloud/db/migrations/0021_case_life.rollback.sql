drop view case_summary;
alter table case_event
    drop column person_id, drop column department_id, drop column other_case_id, drop column until, drop column rating;
drop table case_petition;
drop table case_department;
alter table case_incident drop column merged_from;
alter table grid_case
    drop constraint grid_case_status, drop constraint grid_case_source, drop constraint grid_case_merged,
    drop constraint grid_case_suspended, drop constraint grid_case_place;
drop index grid_case_running;
-- What people reported has no device; before, every case had one.
update grid_case set node = coalesce(node, 'report'), device = coalesce(device, 'report'), device_kind = coalesce(device_kind, 'report')
where node is null or device is null or device_kind is null;
update grid_case set status = case status
    when 'verifying' then 'reported'
    when 'merged' then 'rejected'
    when 'voided' then 'rejected'
    when 'checking' then 'resolved'
    else 'filed'
end
where status in ('verifying', 'dispatched', 'in_progress', 'suspended', 'checking', 'merged', 'voided');
alter table grid_case
    drop column origin, drop column drill, drop column title, drop column description, drop column longitude,
    drop column latitude, drop column address, drop column worker_id, drop column checker_id, drop column department_id,
    drop column verified_at, drop column filed_at, drop column dispatched_at, drop column accepted_at,
    drop column resolved_at, drop column resolved_by, drop column ended_at, drop column suspended_until,
    drop column merged_into, drop column merged_from, drop column urged_at, drop column reworks, drop column returns,
    drop column reopenings, drop column rating,
    alter column node set not null, alter column device set not null, alter column device_kind set not null;
alter table account drop constraint account_department, drop constraint account_role_check, drop column department_id;
-- Roles that there were not: their people may not sign in, rather than as somebody else.
update account set role = 'grid_worker', disabled_at = coalesce(disabled_at, now())
where role not in ('duty_chief', 'grid_worker', 'maintainer', 'administrator');
alter table account add constraint account_role_check
    check (role in ('duty_chief', 'grid_worker', 'maintainer', 'administrator'));
drop table department;
create view case_summary as
select c.*,
    coalesce(d.title, d.name, c.device) as device_name,
    (
        select jsonb_object_agg(a.level, jsonb_build_object('code', a.code, 'name', a.name))
        from area a
        where a.code = any(string_to_array(rtrim(c.area_path, '/'), '/'))
          and a.valid_from <= c.opened_at and (a.valid_to is null or a.valid_to > c.opened_at)
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
left join device d on d.id = c.device_id;
