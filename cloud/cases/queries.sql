-- Incidents, cases, their history.

-- name: lock_keys(keys)
-- Correlation of one key takes turns. One order for all, so that two batches can't deadlock.
select pg_advisory_xact_lock(1, h.lock)
from (select distinct hashtext(k) as lock from unnest(:keys::text[]) k order by 1) h;

-- name: incident_of_node(node, incident_id)^
select id, case_id, order_id, revision from incident where node = :node and incident_id = :incident_id for update;

-- name: open_cases_near(key, open_statuses, from_at, to_at)
-- Open cases of a key whose span, widened by the window, touches the incident's.
select id, status, severity::text as severity, started_at, last_activity_at, late, simulated
from grid_case
where correlation_key = :key and status = any(:open_statuses::text[])
  and last_activity_at >= :from_at::timestamptz and started_at <= :to_at::timestamptz
order by id desc
limit 20
for update;

-- name: case_facts(case_id)^
select id, status, severity::text as severity, started_at, last_activity_at, late, simulated
from grid_case where id = :case_id
for update;

-- name: next_number(district, day)$
insert into case_counter (district, day, last) values (:district, :day, 1)
on conflict (district, day) do update set last = case_counter.last + 1
returning last;

-- name: insert_case(number, correlation_key, kind, category, severity, status, area_code, area_path, node, device, device_id, device_kind, spot, opened_at, started_at, last_activity_at, late, simulated)$
insert into grid_case (
    number, correlation_key, kind, category, severity, status, area_code, area_path, node, device, device_id, device_kind,
    spot, opened_at, started_at, last_activity_at, late, simulated
) values (
    :number, :correlation_key, :kind, :category, :severity::severity, :status, :area_code, :area_path, :node, :device,
    :device_id, :device_kind, :spot, :opened_at, :started_at, :last_activity_at, :late, :simulated
)
returning id;

-- name: update_case_facts(severity, started_at, last_activity_at, late, simulated, growth, case_id)!
-- Joins in SQL as well: whatever reaches this row, severity never falls and the span never shrinks.
update grid_case set
    severity = greatest(severity, :severity::severity),
    started_at = least(started_at, :started_at),
    last_activity_at = greatest(last_activity_at, :last_activity_at),
    late = late and :late,
    simulated = simulated and :simulated,
    version = version + :growth
where id = :case_id;

-- name: insert_incident(node, incident_id, case_id, order_id, revision, state, kind, category, severity, device, device_id, spot, zone, started_at, updated_at, ended_at, confidence, dwell_s, direction, count, point, value, unit, track, model, rule, simulated, note, views, fault, raw_code, historical, received_at)$
insert into incident (
    node, incident_id, case_id, order_id, revision, state, kind, category, severity, device, device_id, spot, zone, started_at,
    updated_at, ended_at, confidence, dwell_s, direction, count, point, value, unit, track, model, rule, simulated, note,
    views, fault, raw_code, historical, received_at
) values (
    :node, :incident_id, :case_id, :order_id, :revision, :state, :kind, :category, :severity::severity, :device, :device_id, :spot,
    :zone, :started_at, :updated_at, :ended_at, :confidence, :dwell_s, :direction, :count, :point, :value, :unit, :track,
    :model, :rule, :simulated, :note, :views, :fault, :raw_code, :historical, :received_at
)
returning id;

-- name: update_incident(revision, state, kind, category, severity, device, device_id, spot, zone, started_at, updated_at, ended_at, confidence, dwell_s, direction, count, point, value, unit, track, model, rule, simulated, note, views, fault, raw_code, historical, received_at, id)!
-- The highest revision wins, whatever the order of arrival.
update incident set
    revision = :revision, state = :state, kind = :kind, category = :category, severity = :severity::severity,
    device = :device, device_id = :device_id, spot = :spot, zone = :zone, started_at = :started_at,
    updated_at = :updated_at, ended_at = :ended_at, confidence = :confidence, dwell_s = :dwell_s, direction = :direction,
    count = :count, point = :point, value = :value, unit = :unit, track = :track, model = :model, rule = :rule,
    simulated = :simulated, note = :note, views = :views, fault = :fault, raw_code = :raw_code, historical = :historical,
    received_at = :received_at
where id = :id and revision < :revision;

-- name: move_incident(case_id, id)!
update incident set case_id = :case_id where id = :id;

-- name: join_case(case_id, incident_id, joined_at)!
insert into case_incident (case_id, incident_id, joined_at) values (:case_id, :incident_id, :joined_at)
on conflict do nothing;

-- name: insert_revision(incident_id, revision, raw, historical, received_at)!
insert into incident_revision (incident_id, revision, raw, historical, received_at)
values (:incident_id, :revision, :raw, :historical, :received_at)
on conflict do nothing;

-- name: insert_event(case_id, at, actor_id, action, from_status, to_status, reason, note, severity, incident_id)!
insert into case_event (case_id, at, actor_id, action, from_status, to_status, reason, note, severity, incident_id)
values (
    :case_id, :at, :actor_id, :action, :from_status, :to_status, :reason, :note, :severity::severity, :incident_id
);

-- name: case_for_action(case_id, scope)^
select id, number, status, version, area_path from grid_case
where id = :case_id and area_path ^@ :scope
for update;

-- name: move_case(status, case_id, version)!
update grid_case set status = :status, version = version + 1 where id = :case_id and version = :version;

-- name: summary(case_id, scope)^
select id, number, kind, category, severity::text as severity, status, version, node, device, device_id, device_kind,
    device_name, spot, opened_at, started_at, last_activity_at, late, simulated, area_path, areas, incident_count,
    ongoing, picture
from case_summary
where id = :case_id and area_path ^@ :scope;

-- name: summaries(scope, statuses, severities, kinds, device_id, before, count)
select id, number, kind, category, severity::text as severity, status, version, node, device, device_id, device_kind,
    device_name, spot, opened_at, started_at, last_activity_at, late, simulated, area_path, areas, incident_count,
    ongoing, picture
from case_summary
where area_path ^@ :scope
  and (:statuses::text[] is null or status = any(:statuses::text[]))
  and (:severities::text[] is null or severity::text = any(:severities::text[]))
  and (:kinds::text[] is null or kind = any(:kinds::text[]))
  and (:device_id::bigint is null or device_id = :device_id)
  and (:before::bigint is null or id < :before)
order by id desc
limit :count;

-- name: incidents_of(case_id, count)
select i.id, i.incident_id, i.revision, i.state, i.kind, i.severity::text as severity, i.started_at, i.updated_at,
    i.ended_at, i.confidence, i.dwell_s, i.direction, i.count, i.point, i.value, i.unit, i.zone, i.historical, i.track,
    i.model, i.rule, i.note, i.device, i.views, i.fault, i.raw_code
from case_incident ci join incident i on i.id = ci.incident_id
where ci.case_id = :case_id
order by i.started_at desc, i.id desc
limit :count;

-- name: evidence_of(incident_ids)
select ie.incident_id, e.sha256, e.kind, e.mime, e.bytes, ie.captured_at, e.stored_at is not null as stored
from incident_evidence ie join evidence e on e.node = ie.node and e.sha256 = ie.sha256
where ie.incident_id = any(:incident_ids::bigint[])
order by ie.captured_at, e.sha256;

-- name: names_of_devices(node, devices)
select name as device, coalesce(title, name) as name
from device
where node_id = (select id from node where node.name = :node) and name = any(:devices::text[]);

-- name: history_of(case_id, count)
-- The newest ones, in the order in which they happened.
select e.at, a.name, a.display_name, e.action, e.from_status, e.to_status, e.reason, e.note, e.severity::text as severity
from (select * from case_event where case_id = :case_id order by id desc limit :count) e
left join account a on a.id = e.actor_id
order by e.id;

-- name: cases_with_evidence(node, sha256)
select distinct ci.case_id
from incident_evidence ie join case_incident ci on ci.incident_id = ie.incident_id
where ie.node = :node and ie.sha256 = :sha256
order by 1;

-- name: case_figures(open_statuses, day_start, scope)
select severity::text as severity,
    count(*) filter (where status = any(:open_statuses::text[])) as open_cases,
    count(*) filter (where status = 'reported') as reported,
    count(*) filter (where opened_at >= :day_start) as today_opened
from grid_case
where area_path ^@ :scope and (status = any(:open_statuses::text[]) or opened_at >= :day_start)
group by severity;

-- name: incidents_since(scope, since)$
select count(*)
from incident i join grid_case c on c.id = i.case_id
where c.area_path ^@ :scope and i.received_at >= :since;
