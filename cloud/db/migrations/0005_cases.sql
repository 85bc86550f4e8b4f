-- Incidents in revisions, the cases that they belong to, the evidence that they name.
-- depends: 0001_access 0002_fleet

create type severity as enum ('low', 'medium', 'high', 'critical');

create table case_counter (
    district text not null,
    day date not null,
    last integer not null,
    primary key (district, day)
);

create table grid_case (
    id bigint generated always as identity primary key,
    number text not null unique,
    correlation_key text not null,
    kind text not null,
    category text not null,
    severity severity not null,
    status text not null,
    version integer not null default 1,
    area_code text,
    area_path text collate "C" not null,
    node text not null,
    device text not null,
    device_id bigint,
    device_kind text not null,
    spot text,
    opened_at timestamptz not null,
    started_at timestamptz not null,
    last_activity_at timestamptz not null,
    late boolean not null,
    simulated boolean not null
);
comment on column grid_case.area_path is 'The path when the case was opened: a grid that is re-drawn moves no old case.';
comment on column grid_case.version is 'Grows with every action, new incident and rise of severity: what a person must have seen before acting.';

create index grid_case_key on grid_case (correlation_key, last_activity_at);
create index grid_case_area on grid_case (area_path, id desc);
create index grid_case_status on grid_case (status, id desc);
create index grid_case_opened on grid_case (opened_at);
create index grid_case_device on grid_case (device_id, id desc);

create table incident (
    id bigint generated always as identity primary key,
    node text not null,
    incident_id uuid not null,
    case_id bigint not null references grid_case,
    revision bigint not null,
    state text not null check (state in ('open', 'update', 'ended')),
    kind text not null,
    category text not null,
    severity severity not null,
    device text not null,
    device_id bigint,
    spot text,
    zone text,
    started_at timestamptz not null,
    updated_at timestamptz not null,
    ended_at timestamptz,
    confidence double precision,
    dwell_s double precision,
    direction text,
    count bigint,
    point text,
    value double precision,
    unit text,
    track jsonb not null,
    model jsonb,
    rule jsonb,
    simulated boolean not null,
    note text,
    historical boolean not null,
    received_at timestamptz not null,
    unique (node, incident_id)
);
comment on column incident.case_id is 'The case that takes its further revisions.';
create index incident_ongoing on incident (case_id) where state <> 'ended';
create index incident_received on incident (received_at);

create table case_incident (
    case_id bigint not null references grid_case,
    incident_id bigint not null references incident,
    joined_at timestamptz not null,
    primary key (case_id, incident_id)
);
create index case_incident_incident on case_incident (incident_id);

create table incident_revision (
    incident_id bigint not null references incident,
    revision bigint not null,
    raw bytea not null,
    sha256 bytea not null generated always as (sha256(raw)) stored,
    historical boolean not null,
    received_at timestamptz not null,
    primary key (incident_id, revision)
);
comment on table incident_revision is 'Every revision as it came, byte by byte, for the hash chain. The first of a number stands.';

create table case_event (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    at timestamptz not null,
    actor_id bigint references account,
    action text not null,
    from_status text,
    to_status text,
    reason text,
    note text,
    severity severity,
    incident_id bigint references incident
);
create index case_event_case on case_event (case_id, id);

create table evidence (
    node text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    kind text not null,
    mime text not null,
    bytes bigint not null,
    stored_at timestamptz,
    primary key (node, sha256)
);
comment on table evidence is 'Files that incidents of a node named. Each node shows that it holds the bytes; the store keeps them once.';
create index evidence_hash on evidence (sha256);

create table incident_evidence (
    incident_id bigint not null references incident,
    node text not null,
    sha256 text not null,
    captured_at timestamptz not null,
    primary key (incident_id, sha256),
    foreign key (node, sha256) references evidence
);
comment on column incident_evidence.captured_at is 'As this incident says: the same bytes can come again (looped footage, a frozen picture).';
create index incident_evidence_file on incident_evidence (node, sha256);

-- A case as lists, details and the live stream show it.
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
