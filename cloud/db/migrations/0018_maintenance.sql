-- Work orders for devices, what was present when, and the labels that open public pages.
-- depends: 0016_enrolment

create table work_order_counter (
    district text not null,
    day date not null,
    last integer not null,
    primary key (district, day)
);

create table work_order (
    id bigint generated always as identity primary key,
    number text not null unique,
    node text not null,
    device text not null,
    device_id bigint,
    device_kind text not null,
    spot text,
    cause text not null,
    severity severity not null,
    status text not null check (
        status in ('opened', 'assigned', 'on_site', 'fixed', 'verified', 'recovered', 'cancelled', 'merged')
    ),
    version integer not null default 1,
    area_code text,
    area_path text collate "C" not null,
    assigned_to bigint references account on delete set null,
    assigned_name text,
    opened_at timestamptz not null,
    started_at timestamptz not null,
    assigned_at timestamptz,
    on_site_at timestamptz,
    fixed_at timestamptz,
    ended_at timestamptz,
    last_fault_at timestamptz not null,
    well_since timestamptz,
    merged_into bigint references work_order,
    simulated boolean not null,
    check ((ended_at is null) = (status in ('opened', 'assigned', 'on_site', 'fixed'))),
    check ((merged_into is null) = (status <> 'merged'))
);
comment on table work_order is 'A device that does not do what it should (维修工单): one order for as long as nobody has ended it.';
comment on column work_order.area_path is 'The path when the order was opened: a grid that is re-drawn moves no old order.';
comment on column work_order.well_since is 'Since when none of its faults holds any more; null while one does.';
comment on column work_order.version is 'Grows with every action and every new fault: what a person must have seen before acting.';
create unique index work_order_running on work_order (node, device) where ended_at is null;
create index work_order_area on work_order (area_path, id desc);
create index work_order_device on work_order (device_id, id desc);
create index work_order_well on work_order (well_since) where ended_at is null;

create table work_order_event (
    id bigint generated always as identity primary key,
    order_id bigint not null references work_order,
    at timestamptz not null,
    actor_id bigint references account on delete set null,
    actor_name text,
    action text not null,
    from_status text,
    to_status text,
    severity severity,
    note text,
    incident_id bigint references incident
);
create index work_order_event_order on work_order_event (order_id, id);

alter table incident
    alter column case_id drop not null,
    add column order_id bigint references work_order,
    add constraint incident_place check ((case_id is null) <> (order_id is null));
comment on column incident.order_id is 'The work order that takes its further revisions; a fault of a device is no case of a grid.';
create index incident_order on incident (order_id) where order_id is not null;

create table presence_change (
    id bigint generated always as identity primary key,
    node_id bigint not null references node on delete cascade,
    device_id bigint references device on delete cascade,
    at timestamptz not null,
    presence text not null
);
comment on table presence_change is 'When a node (device_id is null) or a device came and went: what online rates are made of.';
create index presence_change_device on presence_change (device_id, at) where device_id is not null;
create index presence_change_node on presence_change (node_id, at) where device_id is null;

create function note_node_presence() returns trigger language plpgsql as $$
begin
    insert into presence_change (node_id, at, presence)
    values (new.id, coalesce(new.presence_since, now()), new.presence);
    return null;
end
$$;

create function note_device_presence() returns trigger language plpgsql as $$
begin
    insert into presence_change (node_id, device_id, at, presence)
    values (new.node_id, new.id, coalesce(new.presence_since, now()), new.presence);
    return null;
end
$$;

create trigger node_presence_noted after update of presence on node
    for each row when (old.presence is distinct from new.presence) execute function note_node_presence();
create trigger device_presence_noted after update of presence on device
    for each row when (old.presence is distinct from new.presence) execute function note_device_presence();

insert into presence_change (node_id, at, presence)
select id, presence_since, presence from node where presence_since is not null;
insert into presence_change (node_id, device_id, at, presence)
select node_id, id, presence_since, presence from device where presence_since is not null;

create table public_label (
    id bigint generated always as identity primary key,
    token text not null unique check (token ~ '^[A-Z2-7]{26}$'),
    device_id bigint references device on delete cascade,
    area_code text,
    made_by_name text not null,
    made_at timestamptz not null,
    revoked_at timestamptz,
    check ((device_id is null) <> (area_code is null))
);
comment on table public_label is 'What a QR label (码上便知) on a device or in a grid opens, for everybody. The token stands on a wall: it is no secret, and no id.';
create unique index public_label_device on public_label (device_id) where revoked_at is null and device_id is not null;
create unique index public_label_area on public_label (area_code) where revoked_at is null and area_code is not null;
