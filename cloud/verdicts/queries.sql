-- What people found, made from the history of cases; precision; proposals; labelled pictures.

-- name: take_turns()
-- One at a time: who reads the history later writes later.
select pg_advisory_xact_lock(27, 0);

-- name: due(after_id, count)
select id, case_id from verdict_due where id > :after_id order by id limit :count;

-- name: forget_due(ids, older_s)!
delete from verdict_due where id = any(:ids::bigint[]) and noted_at <= now() - make_interval(secs => :older_s);

-- name: ask_for_all(after_id, count)$
-- Some more of the cases in which something was ever judged; the last of them.
with asked as (
    insert into verdict_due (case_id)
    select distinct case_id from case_event
    where case_id > :after_id and action in ('confirm', 'dismiss', 'inconclusive')
    order by case_id
    limit :count
    returning case_id
)
select max(case_id) from asked;

-- name: neighbours(case_ids, linking)
-- Cases that shared incidents with these: merged, taken apart again, or continued elsewhere.
select other_case_id as case_id from case_event
where case_id = any(:case_ids::bigint[]) and action = any(:linking::text[]) and other_case_id is not null
union
select case_id from case_event
where other_case_id = any(:case_ids::bigint[]) and action = any(:linking::text[])
union
select theirs.case_id
from case_incident ours join case_incident theirs on theirs.incident_id = ours.incident_id
where ours.case_id = any(:case_ids::bigint[]);

-- name: history(case_ids, telling)
select id as event_id, case_id, action, to_status, reason, at, actor_id
from case_event
where case_id = any(:case_ids::bigint[]) and action = any(:telling::text[])
order by id;

-- name: members(case_ids)
select case_id, incident_id, joined_at from case_incident where case_id = any(:case_ids::bigint[]);

-- name: kept(case_ids, incident_ids)
select incident_id, event_id from incident_verdict
where case_id = any(:case_ids::bigint[]) or incident_id = any(:incident_ids::bigint[]);

-- name: keep(incident_ids, case_ids, event_ids, verdicts, reasons, judged_ats, judged_bys)!
insert into incident_verdict (incident_id, case_id, event_id, verdict, reason, judged_at, judged_by)
select incident_id, case_id, event_id, verdict, reason, judged_at, judged_by
from unnest(
    :incident_ids::bigint[], :case_ids::bigint[], :event_ids::bigint[], :verdicts::text[], :reasons::text[],
    :judged_ats::timestamptz[], :judged_bys::bigint[]
) as told (incident_id, case_id, event_id, verdict, reason, judged_at, judged_by)
on conflict (incident_id) do update set
    case_id = excluded.case_id, event_id = excluded.event_id, verdict = excluded.verdict, reason = excluded.reason,
    judged_at = excluded.judged_at, judged_by = excluded.judged_by;

-- name: take_away(incident_ids)!
delete from incident_verdict where incident_id = any(:incident_ids::bigint[]);

-- name: count_verdicts()$
select count(*) from incident_verdict;

-- name: tallies(dimensions, scope, node, device, rule, kind, since, until, simulated, drills, zone, count)
-- Judgements at each place, told apart by the dimensions that are asked for; one event is one judgement.
select
    case when 'device' = any(:dimensions::text[]) then i.node end as node,
    case when 'device' = any(:dimensions::text[]) then i.device end as device,
    case when 'rule' = any(:dimensions::text[]) then i.rule ->> 'id' end as rule,
    case when 'rule_version' = any(:dimensions::text[]) then i.rule ->> 'version' end as rule_version,
    case when 'rule_version' = any(:dimensions::text[]) then i.rule ->> 'sha256' end as rule_sha256,
    case when 'kind' = any(:dimensions::text[]) then i.kind end as kind,
    case when 'model' = any(:dimensions::text[]) then i.model ->> 'id' end as model,
    case when 'model' = any(:dimensions::text[]) then i.model ->> 'version' end as model_version,
    case when 'model' = any(:dimensions::text[]) then i.model ->> 'sha256' end as model_sha256,
    case when 'hour' = any(:dimensions::text[]) then extract(hour from i.started_at at time zone :zone)::integer end as hour,
    v.verdict, v.reason, count(distinct v.event_id) as judgements, count(*) as incidents
from incident_verdict v
join incident i on i.id = v.incident_id
join grid_case c on c.id = v.case_id
where c.area_path ^@ :scope and v.judged_at >= :since and v.judged_at < :until
  and (:node::text is null or i.node = :node)
  and (:device::text is null or i.device = :device)
  and (:rule::text is null or i.rule ->> 'id' = :rule)
  and (:kind::text is null or i.kind = :kind)
  and (:simulated or not (i.simulated or c.simulated)) and (:drills or not c.drill)
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
order by judgements desc, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
limit :count;

-- name: coverage(scope, node, device, rule, kind, since, until, simulated, drills)^
-- How many incidents came, and of how many it is known what they were: those alone that somebody went to see.
select count(*) as incidents, count(v.incident_id) as judged
from incident i
join grid_case c on c.id = i.case_id
left join incident_verdict v on v.incident_id = i.id
where c.area_path ^@ :scope and i.received_at >= :since and i.received_at < :until
  and (:node::text is null or i.node = :node)
  and (:device::text is null or i.device = :device)
  and (:rule::text is null or i.rule ->> 'id' = :rule)
  and (:kind::text is null or i.kind = :kind)
  and (:simulated or not (i.simulated or c.simulated)) and (:drills or not c.drill);

-- name: rule_as_told(scope, node, device, rule)^
-- The rule as its newest incident names it.
select i.kind, i.zone, i.point, i.category, i.severity::text as severity, i.rule ->> 'sha256' as sha256,
    i.device_id, c.device_kind, c.area_path, i.simulated
from incident i join grid_case c on c.id = i.case_id
where c.area_path ^@ :scope and i.node = :node and i.device = :device and i.rule ->> 'id' = :rule
order by i.started_at desc, i.id desc
limit 1;

-- name: sightings(scope, node, device, rule, sha256, kind, since, until, simulated, drills, zone, count)
-- Judged incidents of a rule as it is set now, the newest first.
select v.event_id, v.case_id, c.number as case_number, v.verdict, v.reason,
    greatest(i.severity, c.severity)::text as severity, i.dwell_s, i.count, i.value,
    extract(hour from i.started_at at time zone :zone)::integer as hour
from incident_verdict v
join incident i on i.id = v.incident_id
join grid_case c on c.id = v.case_id
where c.area_path ^@ :scope and v.judged_at >= :since and v.judged_at < :until
  and i.node = :node and i.device = :device and i.rule ->> 'id' = :rule and i.kind = :kind
  and (:sha256::text is null or i.rule ->> 'sha256' = :sha256)
  and (:simulated or not (i.simulated or c.simulated)) and (:drills or not c.drill)
order by v.judged_at desc, v.incident_id desc
limit :count;

-- name: judged_before(scope, node, device, rule, sha256, since, until, drills)$
-- How many judged incidents of the rule came while it was set otherwise.
select count(*)
from incident_verdict v
join incident i on i.id = v.incident_id
join grid_case c on c.id = v.case_id
where c.area_path ^@ :scope and v.judged_at >= :since and v.judged_at < :until
  and i.node = :node and i.device = :device and i.rule ->> 'id' = :rule and i.rule ->> 'sha256' <> :sha256
  and (:drills or not c.drill);

-- name: insert_proposal(node, device, device_kind, area_path, rule, kind, becomes, zone, point, severity, category, setting, measure, side, from_value, to_value, figures, note, proposed_by, proposed_at)$
insert into rule_proposal (
    node, device, device_kind, area_path, rule, kind, becomes, zone, point, severity, category, setting, measure, side,
    from_value, to_value, figures, note, proposed_by, proposed_at
) values (
    :node, :device, :device_kind, :area_path, :rule, :kind, :becomes, :zone, :point, :severity, :category, :setting, :measure,
    :side, :from_value, :to_value, :figures, :note, :proposed_by, :proposed_at
)
on conflict (node, device, rule, setting) where state = 'open' do nothing
returning id;

-- name: proposals(scope, states, node, device, rule, proposal_id, before, count)
select p.*, d.id as device_id, coalesce(d.title, d.name, p.device) as device_name, coalesce(d.simulated, false) as simulated,
    a.display_name as proposer, b.display_name as answerer
from rule_proposal p
join account a on a.id = p.proposed_by
left join account b on b.id = p.answered_by
left join node n on n.name = p.node
left join device d on d.node_id = n.id and d.name = p.device
where p.area_path ^@ :scope
  and (:states::text[] is null or p.state = any(:states::text[]))
  and (:node::text is null or p.node = :node)
  and (:device::text is null or p.device = :device)
  and (:rule::text is null or p.rule = :rule)
  and (:proposal_id::bigint is null or p.id = :proposal_id)
  and (:before::bigint is null or p.id < :before)
order by p.id desc
limit :count;

-- name: lock_proposal(proposal_id, scope)^
select id, state, proposed_by, area_path from rule_proposal where id = :proposal_id and area_path ^@ :scope for update;

-- name: answer_proposal(proposal_id, state, answered_by, answered_at, answer)!
update rule_proposal
set state = :state, answered_by = :answered_by, answered_at = :answered_at, answer = :answer
where id = :proposal_id and state = 'open';

-- name: labelled(scope, node, device, rule, kind, since, until, simulated, drills, verdicts, after_incident, after_sha256, count)
-- Masked pictures of judged incidents that are here. What is sealed, and films, are never among them.
select e.sha256, e.bytes as size_bytes, ie.captured_at, i.id as incident_row_id, v.case_id, c.number as case_number, c.area_path,
    i.node, i.device, i.kind, i.severity::text as severity, v.verdict, v.reason, v.judged_at, i.track, i.rule, i.model,
    i.simulated or c.simulated as simulated, c.drill
from incident_verdict v
join incident i on i.id = v.incident_id
join grid_case c on c.id = v.case_id
join incident_evidence ie on ie.incident_id = i.id
join evidence e on e.node = ie.node and e.sha256 = ie.sha256
where c.area_path ^@ :scope and v.judged_at >= :since and v.judged_at < :until
  and (:node::text is null or i.node = :node)
  and (:device::text is null or i.device = :device)
  and (:rule::text is null or i.rule ->> 'id' = :rule)
  and (:kind::text is null or i.kind = :kind)
  and (:simulated or not (i.simulated or c.simulated)) and (:drills or not c.drill)
  and v.verdict = any(:verdicts::text[])
  and e.kind = 'snapshot' and e.mime = 'image/jpeg' and e.stored_at is not null
  and (i.id, e.sha256) > (:after_incident, :after_sha256)
order by i.id, e.sha256
limit :count;

-- name: devices_called(nodes, devices)
-- Ids and titles of devices, where they are registered.
select n.name as node, d.name as device, d.id, coalesce(d.title, d.name) as title, d.kind, d.simulated
from unnest(:nodes::text[], :devices::text[]) as asked (node, device)
join node n on n.name = asked.node
join device d on d.node_id = n.id and d.name = asked.device;
