-- The whole life of a case: who has it, what was asked for, what became of it; roles and departments.
-- depends: 0019_views

create table department (
    id bigint generated always as identity primary key,
    code text not null check (code ~ '^[0-9A-Za-z_-]{1,32}$'),
    name text not null check (length(name) between 1 and 200),
    kind text not null check (kind in ('department', 'property', 'team')),
    area_code text,
    created_at timestamptz not null,
    closed_at timestamptz
);
comment on table department is 'Who handles cases: a department (专业部门), a property company (物业), a team of members.';
comment on column department.area_code is 'Where it works; null: everywhere.';
create unique index department_code on department (code);

alter table account drop constraint account_role_check;
alter table account
    add constraint account_role_check check (role in (
        'duty_chief', 'intake_clerk', 'dispatcher', 'grid_worker', 'grid_lead', 'department', 'maintainer', 'auditor',
        'administrator'
    )),
    add column department_id bigint references department,
    add constraint account_department check ((department_id is not null) = (role = 'department'));

drop view case_summary;

alter table grid_case
    alter column node drop not null,
    alter column device drop not null,
    alter column device_kind drop not null,
    add column origin text not null default 'machine'
        check (origin in ('machine', 'patrol', 'request', 'hotline', 'platform')),
    add column drill boolean not null default false,
    add column title text,
    add column description text,
    add column longitude double precision check (longitude between -180 and 180),
    add column latitude double precision check (latitude between -90 and 90),
    add column address text,
    add column worker_id bigint references account,
    add column checker_id bigint references account,
    add column department_id bigint references department,
    add column verified_at timestamptz,
    add column filed_at timestamptz,
    add column dispatched_at timestamptz,
    add column accepted_at timestamptz,
    add column resolved_at timestamptz,
    add column resolved_by bigint references account,
    add column ended_at timestamptz,
    add column suspended_until timestamptz,
    add column merged_into bigint references grid_case,
    add column merged_from text,
    add column urged_at timestamptz,
    add column reworks integer not null default 0,
    add column returns integer not null default 0,
    add column reopenings integer not null default 0,
    add column rating smallint check (rating between 1 and 5),
    add constraint grid_case_status check (status in (
        'reported', 'verifying', 'filed', 'rejected', 'dispatched', 'in_progress', 'suspended', 'resolved', 'checking',
        'closed', 'merged', 'voided'
    )),
    add constraint grid_case_source check ((node is null) = (device is null) and (origin <> 'machine' or node is not null)),
    add constraint grid_case_merged check ((merged_into is not null) = (status = 'merged')),
    add constraint grid_case_suspended check ((suspended_until is not null) = (status = 'suspended')),
    add constraint grid_case_place check ((longitude is null) = (latitude is null));
comment on column grid_case.origin is 'Who found it: a machine, a grid worker on his round (巡查), a resident (点单), the hotline, another platform.';
comment on column grid_case.drill is 'Part of an exercise (演练): marked everywhere, and in no figure.';
comment on column grid_case.worker_id is 'Who verifies it, or handles it himself (自处理).';
comment on column grid_case.department_id is 'Who handles it; null where a person does it himself.';
comment on column grid_case.ended_at is 'When it was rejected, closed, merged or voided.';
comment on column grid_case.merged_from is 'The status from which it was merged, to stand there again when it is taken apart.';

-- Cases from before: what they would remember stands in their history.
update grid_case c set
    verified_at = h.verified_at,
    filed_at = case when c.status <> 'rejected' then h.filed_at end,
    resolved_at = case when c.status in ('resolved', 'closed') then h.resolved_at end,
    resolved_by = case when c.status in ('resolved', 'closed') then h.resolved_by end,
    ended_at = case when c.status in ('rejected', 'closed') then coalesce(h.ended_at, c.last_activity_at) end
from (
    select g.id,
        max(e.at) filter (where e.action in ('confirm', 'dismiss')) as verified_at,
        max(e.at) filter (where e.action = 'confirm') as filed_at,
        max(e.at) filter (where e.action = 'resolve') as resolved_at,
        (array_agg(e.actor_id order by e.id desc) filter (where e.action = 'resolve'))[1] as resolved_by,
        max(e.at) filter (where e.action = case g.status when 'closed' then 'close' else 'dismiss' end) as ended_at
    from grid_case g left join case_event e on e.case_id = g.id
    group by g.id
) h
where h.id = c.id and c.status <> 'reported';

create index grid_case_running on grid_case (area_path, id desc) where status not in ('rejected', 'closed', 'merged', 'voided');
create index grid_case_worker on grid_case (worker_id, id desc) where worker_id is not null;
create index grid_case_merged_into on grid_case (merged_into) where merged_into is not null;
create index grid_case_suspended_until on grid_case (suspended_until) where suspended_until is not null;

alter table case_incident add column merged_from bigint references grid_case;
comment on column case_incident.merged_from is 'The case with which this incident came, to go with it again when the two are taken apart.';

create table case_department (
    department_id bigint not null references department,
    case_id bigint not null references grid_case,
    told_at timestamptz not null,
    primary key (department_id, case_id)
);
comment on table case_department is 'Which cases a department was ever told to handle: those it may read.';

create table case_petition (
    case_id bigint not null references grid_case,
    petition text not null check (petition in ('return', 'suspension', 'extension')),
    asked_by bigint references account,
    asked_at timestamptz not null,
    until timestamptz,
    note text not null,
    primary key (case_id, petition)
);
comment on table case_petition is 'What a handler has asked for (退单, 挂账, 延时) and nobody has answered yet. The answer stands in the history.';

alter table case_event
    add column person_id bigint references account,
    add column department_id bigint references department,
    add column other_case_id bigint references grid_case,
    add column until timestamptz,
    add column rating smallint;
comment on column case_event.person_id is 'Whom the step names: who verifies, who checks.';

-- A case as lists, details and the live stream show it.
create view case_summary as
select c.*,
    coalesce(d.title, d.name, c.device) as device_name,
    dep.code as department_code,
    dep.name as department_name,
    w.display_name as worker_name,
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
left join device d on d.id = c.device_id
left join department dep on dep.id = c.department_id
left join account w on w.id = c.worker_id;
