-- What a case is made of, so that the next incident finds it; repeated false alarms; what may become a case (事项准入).
-- depends: 0021_case_life

create table case_source (
    case_id bigint not null references grid_case,
    node text not null,
    device text not null,
    zone text not null,
    rule text not null,
    danger text not null,
    spot text,
    link text,
    grid_code text,
    longitude double precision,
    latitude double precision,
    incidents integer not null,
    from_medium integer not null,
    from_high integer not null,
    critical integer not null,
    last_at timestamptz not null,
    primary key (case_id, node, device, danger, zone, rule)
);
comment on table case_source is 'Who found what a case is about: per camera or sensor, zone and rule, how many incidents of which severity at least.';
comment on column case_source.danger is 'What the incidents tell of: only those of one danger fold.';
comment on column case_source.link is 'The line that the device is reached over, where the danger is that nothing is heard of it.';
comment on column case_source.last_at is 'The last moment at which this source saw it.';
create index case_source_device on case_source (node, device, danger, last_at);
create index case_source_spot on case_source (node, spot, danger, last_at) where spot is not null;
create index case_source_link on case_source (node, link, danger, last_at) where link is not null;
create index case_source_grid on case_source (grid_code, danger, last_at) where longitude is not null;

insert into case_source
select c.id, i.node, i.device, coalesce(i.zone, ''), coalesce(i.rule ->> 'id', ''),
    case
        when i.kind in ('threshold', 'rate_of_change') then i.category || '/measured/' || coalesce(i.point, '')
        when i.kind in ('event', 'state') then i.category || '/' || i.kind || '/' || coalesce(i.point, '')
        else i.category || '/' || i.kind
    end,
    min(i.spot), null, null, null, null,
    count(*), count(*) filter (where i.severity >= 'medium'), count(*) filter (where i.severity >= 'high'),
    count(*) filter (where i.severity = 'critical'), max(greatest(i.updated_at, i.ended_at))
from grid_case c
join case_incident ci on ci.case_id = c.id
join incident i on i.id = ci.incident_id
where c.status not in ('closed', 'voided') or c.last_activity_at > now() - interval '2 days'
group by 1, 2, 3, 4, 5, 6;

create table case_echo (
    case_id bigint primary key references grid_case,
    until timestamptz not null,
    severity severity not null
);
comment on table case_echo is 'Cases that take what was judged a false alarm again and again: until when, and up to which severity.';

create table admission_rule (
    id bigint generated always as identity primary key,
    area_code text,
    level text,
    category text,
    kind text,
    admitted_from severity not null check (admitted_from > 'low'),
    note text not null,
    made_by text not null,
    made_at timestamptz not null,
    ended_by text,
    ended_at timestamptz,
    check ((ended_at is null) = (ended_by is null))
);
comment on table admission_rule is 'What may become a case, where (事项准入). Of those that fit the narrowest decides; without any everything is admitted.';
comment on column admission_rule.admitted_from is 'From this severity on; what is critical always becomes a case.';
create unique index admission_rule_once on admission_rule
    (coalesce(area_code, ''), coalesce(level, ''), coalesce(category, ''), coalesce(kind, '')) where ended_at is null;

alter table incident
    add column unadmitted_by bigint references admission_rule,
    add column unadmitted_path text collate "C",
    drop constraint incident_place,
    add constraint incident_place check (num_nonnulls(case_id, order_id, unadmitted_by) = 1),
    add constraint incident_unadmitted check ((unadmitted_by is null) = (unadmitted_path is null));
comment on column incident.unadmitted_by is 'The rule by which it became no case: it is kept all the same, and listed.';
comment on column incident.unadmitted_path is 'Where it would have become one.';
create index incident_unadmitted on incident (unadmitted_path, id desc) where unadmitted_by is not null;
