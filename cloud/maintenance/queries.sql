-- Work orders, their history, what was present when, and public labels.

-- name: what_it_stands_behind(device_id)^
-- The device without which this one can not be reached, whose own order runs and whose fault holds.
select o.id, o.node, o.device
from device d
join work_order o on o.node = (select name from node where id = d.node_id)
    and o.device in (d.behind, (select name from node where id = d.node_id)) and o.device <> d.name
where d.id = :device_id and o.ended_at is null and o.well_since is null
order by o.id
limit 1;

-- name: running_order(node, device)^
select id, number, status, severity::text as severity, started_at, last_fault_at, well_since, simulated, area_path, version
from work_order
where node = :node and device = :device and ended_at is null
for no key update;

-- name: order_facts(order_id)^
select id, number, status, severity::text as severity, started_at, last_fault_at, well_since, simulated, area_path, version
from work_order
where id = :order_id
for no key update;

-- name: orders_behind(node, device, opened_after)
-- Orders to which nobody was sent yet, of devices that can not be reached without this one.
select o.id, o.number, o.status, o.severity::text as severity, o.started_at, o.last_fault_at, o.well_since, o.simulated,
    o.area_path, o.version
from work_order o
join node n on n.name = o.node
join device d on d.node_id = n.id and d.name = o.device
where o.node = :node and o.status = 'opened' and o.opened_at >= :opened_after and o.device <> :device
    and (d.behind = :device or :device = n.name)
order by o.id
for no key update of o;

-- name: next_number(district, day)$
insert into work_order_counter (district, day, last) values (:district, :day, 1)
on conflict (district, day) do update set last = work_order_counter.last + 1
returning last;

-- name: insert_order(number, node, device, device_id, device_kind, spot, cause, severity, area_code, area_path, opened_at, started_at, last_fault_at, simulated)$
insert into work_order (
    number, node, device, device_id, device_kind, spot, cause, severity, status, area_code, area_path, opened_at,
    started_at, last_fault_at, simulated
)
values (
    :number, :node, :device, :device_id, :device_kind, :spot, :cause, :severity::severity, 'opened', :area_code, :area_path,
    :opened_at, :started_at, :last_fault_at, :simulated
)
returning id;

-- name: mark_order(order_id, drill_id)!
update work_order set drill_id = :drill_id where id = :order_id and drill_id is distinct from :drill_id;

-- name: mark_fault(id, drill_id)!
update incident set drill_id = :drill_id where id = :id;

-- name: update_facts(order_id, status, severity, started_at, last_fault_at, simulated, growth)!
update work_order
set status = :status, severity = :severity::severity, started_at = :started_at, last_fault_at = :last_fault_at,
    simulated = :simulated, version = version + :growth,
    fixed_at = case when :status = 'assigned' then null else fixed_at end
where id = :order_id;

-- name: move_order(order_id, status, version, assigned_to, assigned_name, at)!
update work_order
set status = :status, version = version + 1,
    assigned_to = case when :status = 'assigned' and :assigned_name::text is not null then :assigned_to else assigned_to end,
    assigned_name = coalesce(:assigned_name, assigned_name),
    assigned_at = case when :status = 'assigned' then coalesce(assigned_at, :at) else assigned_at end,
    on_site_at = case when :status = 'on_site' then :at else on_site_at end,
    fixed_at = case when :status = 'fixed' and status <> 'fixed' then :at when :status = 'assigned' then null else fixed_at end,
    ended_at = case when :status in ('verified', 'cancelled', 'recovered') then :at else ended_at end
where id = :order_id and version = :version;

-- name: merge_order(order_id, into_id, at)!
update work_order
set status = 'merged', merged_into = :into_id, ended_at = :at, version = version + 1
where id = :order_id;

-- name: stay_real(into_id)!
update work_order o set drill_id = null
where o.id = :into_id and o.drill_id is not null
  and exists (select from work_order taken where taken.merged_into = o.id and taken.drill_id is null);

-- name: move_incidents(order_id, into_id)!
update incident set order_id = :into_id where order_id = :order_id;

-- name: place_incident(id, order_id)!
update incident set order_id = :order_id where id = :id;

-- name: fault_holds(order_id, lost)$
-- Whether any of its faults holds: an incident that has not ended, or, where it was opened so, that its node does not reach it.
select exists (select from incident where order_id = :order_id and state <> 'ended')
    or exists (
        select from work_order o
        join node n on n.name = o.node
        join device d on d.id = o.device_id
        where o.id = :order_id and o.cause = :lost and d.presence = 'lost'
    );

-- name: set_well(order_id, well_since)!
update work_order set well_since = :well_since where id = :order_id;

-- name: lost_devices(lost_before)
-- Declared devices that a node which is there has not reached for long, that stand behind nothing that is down, without an order.
select d.id, d.name as device, d.kind, d.spot, d.simulated, d.presence_since, n.name as node, n.district,
    coalesce(d.grid_code, n.area_code) as area_code
from device d
join node n on n.id = d.node_id
where d.declared and d.presence = 'lost' and n.presence = 'online' and d.presence_since < :lost_before
    and not exists (select from work_order o where o.node = n.name and o.device = d.name and o.ended_at is null)
    and not exists (
        select from work_order o
        where o.node = n.name and o.device in (d.behind, n.name) and o.ended_at is null and o.well_since is null
    )
order by d.id
limit 500;

-- name: orders_of_lost(lost)
-- Running orders that were opened because a node did not reach a device, of which `well_since` is not what holds now: the device is
-- lost, or something else is wrong with it.
select o.id, found.holds, d.presence_since
from work_order o
join device d on d.id = o.device_id
cross join lateral (
    select d.presence = 'lost'
        or exists (select from incident i where i.order_id = o.id and i.state <> 'ended') as holds
) found
where o.ended_at is null and o.cause = :lost and (o.well_since is null) <> found.holds
order by o.id
for no key update of o;

-- name: well_since(before)
select id from work_order where ended_at is null and status = 'opened' and well_since <= :before order by id;

-- name: insert_event(order_id, at, actor_id, actor_name, action, from_status, to_status, severity, note, incident_id)!
insert into work_order_event (order_id, at, actor_id, actor_name, action, from_status, to_status, severity, note, incident_id)
values (:order_id, :at, :actor_id, :actor_name, :action, :from_status, :to_status, :severity::severity, :note, :incident_id);

-- name: order_for_action(order_id, scope)^
select id, status, version, area_path, area_code from work_order where id = :order_id and area_path ^@ :scope for no key update;

-- name: order_row(order_id, scope)^
select o.id, o.number, o.status, o.cause, o.severity::text as severity, o.node, o.device, o.device_id, o.device_kind, o.spot,
    o.area_path, o.assigned_to, o.assigned_name, o.opened_at, o.started_at, o.assigned_at, o.on_site_at, o.fixed_at,
    o.ended_at, o.last_fault_at, o.well_since, o.simulated, o.version, coalesce(d.title, d.name, o.device) as device_name,
    (select count(*) from incident i where i.order_id = o.id) as fault_count,
    (select number from work_order m where m.id = o.merged_into) as merged_into_number,
    (
        select jsonb_object_agg(a.level, jsonb_build_object('code', a.code, 'name', a.name))
        from area a
        where a.code = any(string_to_array(rtrim(o.area_path, '/'), '/'))
          and a.valid_from <= o.opened_at and (a.valid_to is null or a.valid_to > o.opened_at)
    ) as areas
from work_order o
left join device d on d.id = o.device_id
where o.id = :order_id and o.area_path ^@ :scope;

-- name: order_rows(scope, statuses, kinds, device_id, mine, before, count)
select o.id, o.number, o.status, o.cause, o.severity::text as severity, o.node, o.device, o.device_id, o.device_kind, o.spot,
    o.area_path, o.assigned_to, o.assigned_name, o.opened_at, o.started_at, o.assigned_at, o.on_site_at, o.fixed_at,
    o.ended_at, o.last_fault_at, o.well_since, o.simulated, o.version, coalesce(d.title, d.name, o.device) as device_name,
    (select count(*) from incident i where i.order_id = o.id) as fault_count,
    (select number from work_order m where m.id = o.merged_into) as merged_into_number,
    (
        select jsonb_object_agg(a.level, jsonb_build_object('code', a.code, 'name', a.name))
        from area a
        where a.code = any(string_to_array(rtrim(o.area_path, '/'), '/'))
          and a.valid_from <= o.opened_at and (a.valid_to is null or a.valid_to > o.opened_at)
    ) as areas
from work_order o
left join device d on d.id = o.device_id
where o.area_path ^@ :scope
  and (:statuses::text[] is null or o.status = any(:statuses::text[]))
  and (:kinds::text[] is null or o.device_kind = any(:kinds::text[]))
  and (:device_id::bigint is null or o.device_id = :device_id)
  and (:mine::bigint is null or o.assigned_to = :mine)
  and (:before::bigint is null or o.id < :before)
order by o.id desc
limit :count;

-- name: faults_of(order_id, count)
select incident_id, kind, device, severity::text as severity, state, started_at, updated_at, ended_at, point, value, unit, note,
    simulated
from incident
where order_id = :order_id
order by started_at desc, id desc
limit :count;

-- name: pictures_of(order_id)
-- What its faults show and may be looked at: the newest hundred.
select i.incident_id, e.sha256, e.mime, ie.captured_at, e.stored_at is not null as stored
from incident i
join incident_evidence ie on ie.incident_id = i.id
join evidence e on e.node = ie.node and e.sha256 = ie.sha256
where i.order_id = :order_id and e.mime ^@ 'image/'
order by ie.captured_at desc, e.sha256
limit 100;

-- name: history_of(order_id, count)
select at, actor_name, action, from_status, to_status, severity::text as severity, note
from (select * from work_order_event where order_id = :order_id order by id desc limit :count) e
order by id;

-- name: assignable(role_names, area_path)
-- Whom an order of a place can be given to.
select a.id, a.name, a.display_name
from account a
left join area w on w.code = a.area_code and w.valid_to is null
where a.role = any(:role_names::text[]) and a.disabled_at is null and (a.area_code is null or :area_path ^@ w.path)
order by a.display_name, a.name;

-- name: order_counts(scope)
select status, count(*) as orders from work_order where area_path ^@ :scope and ended_at is null group by status;

-- name: repair_times(scope, from_at, to_at)^
-- From the opening to the repair, of what was repaired in the window.
select count(*) as repaired,
    percentile_cont(0.5) within group (order by extract(epoch from fixed_at - opened_at)) as p50_s,
    percentile_cont(0.9) within group (order by extract(epoch from fixed_at - opened_at)) as p90_s
from work_order
where area_path ^@ :scope and fixed_at >= :from_at and fixed_at < :to_at and not simulated and drill_id is null;

-- name: worst_devices(scope, from_at, to_at, count)
select o.node, o.device, max(o.device_id) as device_id, max(o.device_kind) as kind,
    coalesce(max(d.title), max(d.name), o.device) as name, count(*) as orders,
    count(*) filter (where o.ended_at is null) as running, bool_and(o.simulated) as simulated
from work_order o
left join device d on d.id = o.device_id
where o.area_path ^@ :scope and o.opened_at >= :from_at and o.opened_at < :to_at and o.status <> 'merged'
  and o.drill_id is null
group by o.node, o.device
order by orders desc, running desc, o.node, o.device
limit :count;

-- name: presence_spans(scope, from_at, to_at)
-- Of each kind of device in an area, real and simulated apart, the seconds in the window that they were there, were not, and that
-- nobody knows: before the first word of a device, and while its node itself was away. What held when the window began is the last
-- word before it. While a device takes part in a drill nothing is counted: neither that it was there nor that it was not.
with place as materialized (
    select d.id, d.node_id, d.kind, d.name, d.simulated
    from device d
    join node n on n.id = d.node_id
    join area a on a.code = coalesce(d.grid_code, n.area_code) and a.valid_to is null
    where d.declared and d.kind <> 'node' and a.path ^@ :scope
), told as (
    select place.id as device_id, null::bigint as node_id, c.at, c.id, c.presence
    from place
    cross join lateral (
        (
            select p.id, p.at, p.presence from presence_change p
            where p.device_id = place.id and p.at < :from_at order by p.at desc, p.id desc limit 1
        )
        union all
        select p.id, p.at, p.presence from presence_change p
        where p.device_id = place.id and p.at >= :from_at and p.at < :to_at
    ) c
    union all
    select null, nodes.node_id, c.at, c.id, c.presence
    from (select distinct node_id from place) nodes
    cross join lateral (
        (
            select p.id, p.at, p.presence from presence_change p
            where p.node_id = nodes.node_id and p.device_id is null and p.at < :from_at
            order by p.at desc, p.id desc limit 1
        )
        union all
        select p.id, p.at, p.presence from presence_change p
        where p.node_id = nodes.node_id and p.device_id is null and p.at >= :from_at and p.at < :to_at
    ) c
), during as (
    select node_id, device_id, presence, tstzrange(at, coalesce(lead(at) over w, 'infinity'), '[)') as span
    from told
    window w as (partition by node_id, device_id order by at, id)
), held as (
    select node_id, device_id,
        coalesce(range_agg(span) filter (where presence in ('online', 'degraded')), '{}') as online,
        coalesce(range_agg(span) filter (where presence = 'lost'), '{}') as lost
    from during
    where not isempty(span)
    group by node_id, device_id
), drilled as (
    select place.id as device_id,
        range_agg(
            tstzrange(
                r.started_at, greatest(r.started_at, least(l.left_at, coalesce(r.ended_at, r.planned_end_at))), '[)'
            )
        ) as spans
    from drill r
    join drill_source s on s.drill_id = r.id and s.rule is null
    join node n on n.name = s.node
    join place on place.node_id = n.id and (s.device is null or s.device = place.name)
    left join drill_leaver l on l.drill_id = r.id and l.node = n.name and l.device = place.name
    where r.started_at < :to_at and coalesce(r.ended_at, r.planned_end_at) > :from_at
    group by place.id
), clipped as (
    select place.id, place.kind, place.simulated,
        own.online * coalesce(nodes.online, '{}') * tstzmultirange(tstzrange(:from_at, :to_at)) - coalesce(drilled.spans, '{}')
            as online,
        own.lost * coalesce(nodes.online, '{}') * tstzmultirange(tstzrange(:from_at, :to_at)) - coalesce(drilled.spans, '{}') as lost
    from place
    left join held own on own.device_id = place.id
    left join held nodes on nodes.node_id = place.node_id
    left join drilled on drilled.device_id = place.id
)
select kind, simulated, count(distinct id) as devices,
    coalesce(sum(extract(epoch from upper(o) - lower(o))) filter (where part = 'online'), 0)::float8 as online_s,
    coalesce(sum(extract(epoch from upper(o) - lower(o))) filter (where part = 'lost'), 0)::float8 as lost_s
from (
    select id, kind, simulated, 'online' as part, o from clipped left join lateral unnest(online) as o on true
    union all
    select id, kind, simulated, 'lost' as part, o from clipped left join lateral unnest(lost) as o on true
) as parts
group by kind, simulated
order by kind, simulated;

-- name: presence_known_from(before)!
update presence_known set since = greatest(since, :before);

-- name: prune_presence(before)!
-- The last word before a time stays: it says what held then.
delete from presence_change p
where p.at < :before
    and exists (
        select from presence_change l
        where l.node_id = p.node_id and l.device_id is not distinct from p.device_id
            and l.at < :before and (l.at, l.id) > (p.at, p.id)
    );

-- name: label_of_device(device_id, scope)^
select l.token, l.made_at, d.id, coalesce(d.title, d.name) as name, a.path as area_path, a.code as area_code
from device d
join node n on n.id = d.node_id
join area a on a.code = coalesce(d.grid_code, n.area_code) and a.valid_to is null
left join public_label l on l.device_id = d.id and l.revoked_at is null
where d.id = :device_id and d.declared and a.path ^@ :scope;

-- name: label_of_area(code, scope)^
select l.token, l.made_at, a.code, a.name, a.path as area_path, a.code as area_code
from area a
left join public_label l on l.area_code = a.code and l.revoked_at is null
where a.code = :code and a.valid_to is null and a.path ^@ :scope;

-- name: labels_below(area_path, count)
-- The devices of an area, by name, with the tokens of their labels.
select d.id, coalesce(d.title, d.name) as name, d.kind, d.simulated, l.token, l.made_at
from device d
join node n on n.id = d.node_id
join area a on a.code = coalesce(d.grid_code, n.area_code) and a.valid_to is null
left join public_label l on l.device_id = d.id and l.revoked_at is null
where d.declared and d.kind <> 'node' and a.path ^@ :area_path
order by name, d.id
limit :count;

-- name: lock_labelled(device_id, area_code)
-- Whatever a label is made for has one at a time: two that make one come one after the other.
select pg_advisory_xact_lock(3, hashtext(coalesce('device ' || :device_id::bigint::text, 'area ' || :area_code::text)));

-- name: revoke_labels(device_id, area_code, at)!
update public_label set revoked_at = :at
where revoked_at is null and (device_id = :device_id or area_code = :area_code);

-- name: insert_label(token, device_id, area_code, made_by_name, made_at)!
insert into public_label (token, device_id, area_code, made_by_name, made_at)
values (:token, :device_id, :area_code, :made_by_name, :made_at);

-- name: label_target(token)^
-- What a label that stands opens.
select l.area_code, d.id as device_id
from public_label l
left join device d on d.id = l.device_id
where l.token = :token and l.revoked_at is null and (l.device_id is null or d.declared);

-- name: public_device(device_id)^
select coalesce(d.title, d.name) as name, d.kind, n.presence as node_presence, d.presence_shown as presence,
    d.spot, a.name as place, a.code as area_code,
    exists (select from work_order o where o.device_id = d.id and o.ended_at is null) as being_repaired, d.simulated
from device d
join node n on n.id = d.node_id
join area a on a.code = coalesce(d.grid_code, n.area_code) and a.valid_to is null
where d.id = :device_id;

-- name: public_area(code)^
select a.code, a.name, a.level, a.kind,
    (
        select jsonb_agg(jsonb_build_object('level', p.level, 'name', p.name) order by length(p.path))
        from area p
        where p.code = any(string_to_array(rtrim(a.path, '/'), '/')) and p.valid_to is null and p.code <> a.code
    ) as above
from area a
where a.code = :code and a.valid_to is null;
