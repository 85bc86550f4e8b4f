-- Incidents, cases, their history.

-- name: lock_keys(keys)
-- Correlation of one key takes turns. One order for all, so that two batches can't deadlock.
select pg_advisory_xact_lock(1, h.lock)
from (select distinct hashtext(k) as lock from unnest(:keys::text[]) k order by 1) h;

-- name: lock_mergers(alone)^
-- Who merges cases, or takes them apart, is alone with them; whoever only brings incidents to cases holds the same lock beside others. Before all others.
select case when :alone then pg_advisory_xact_lock(32, 0) else pg_advisory_xact_lock_shared(32, 0) end;

-- name: case_of_incident(node, incident_id)$
select case_id from incident where node = :node and incident_id = :incident_id;

-- name: incident_of_node(node, incident_id)^
select id, case_id, order_id, revision, drill_id from incident where node = :node and incident_id = :incident_id for no key update;

-- name: next_number(district, day)$
insert into case_counter (district, day, last) values (:district, :day, 1)
on conflict (district, day) do update set last = case_counter.last + 1
returning last;

-- name: insert_case(number, correlation_key, kind, category, severity, status, area_code, area_path, node, device, device_id, device_kind, spot, opened_at, started_at, last_activity_at, late, simulated, origin, drill, category_code, title, description, longitude, latitude, address)$
insert into grid_case (
    number, correlation_key, kind, category, severity, status, area_code, area_path, node, device, device_id, device_kind,
    spot, opened_at, started_at, last_activity_at, late, simulated, origin, drill, category_code, title, description, longitude,
    latitude, address
) values (
    :number, :correlation_key, :kind, :category, :severity::severity, :status, :area_code, :area_path, :node, :device,
    :device_id, :device_kind, :spot, :opened_at, :started_at, :last_activity_at, :late, :simulated, :origin, :drill,
    coalesce(
        :category_code,
        (select k.code from case_category k where k.kinds @> array[:kind]::text[] and k.closed_at is null order by k.code limit 1)
    ),
    :title, :description, :longitude, :latitude, :address
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

-- name: insert_incident(node, incident_id, case_id, order_id, unadmitted_by, unadmitted_path, revision, state, kind, category, severity, device, device_id, spot, zone, started_at, updated_at, ended_at, confidence, dwell_s, direction, count, point, value, unit, track, model, rule, simulated, note, views, fault, raw_code, historical, received_at)$
insert into incident (
    node, incident_id, case_id, order_id, unadmitted_by, unadmitted_path, revision, state, kind, category, severity, device,
    device_id, spot, zone, started_at, updated_at, ended_at, confidence, dwell_s, direction, count, point, value, unit, track,
    model, rule, simulated, note, views, fault, raw_code, historical, received_at
) values (
    :node, :incident_id, :case_id, :order_id, :unadmitted_by, :unadmitted_path, :revision, :state, :kind, :category,
    :severity::severity, :device, :device_id, :spot, :zone, :started_at, :updated_at, :ended_at, :confidence, :dwell_s,
    :direction, :count, :point, :value, :unit, :track, :model, :rule, :simulated, :note, :views, :fault, :raw_code,
    :historical, :received_at
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

-- name: insert_event(case_id, at, actor_id, action, from_status, to_status, reason, note, severity, incident_id, person_id, department_id, other_case_id, until, rating)!
insert into case_event (
    case_id, at, actor_id, action, from_status, to_status, reason, note, severity, incident_id, person_id, department_id,
    other_case_id, until, rating
) values (
    :case_id, :at, :actor_id, :action, :from_status, :to_status, :reason, :note, :severity::severity, :incident_id,
    :person_id, :department_id, :other_case_id, :until, :rating
);

-- name: cases_for_action(case_ids)
-- In the order of their ids, so that two people who merge the other way round can't deadlock.
select id, number, version, area_path, drill, origin, status, worker_id, checker_id, department_id, published_at, verified_at, filed_at, dispatched_at, accepted_at, resolved_at,
    resolved_by, ended_at, suspended_until, merged_into, merged_from, urged_at, reworks, returns, reopenings, rating, rated_by_requester
from grid_case
where id = any(:case_ids::bigint[])
order by id
for no key update;

-- name: life_of(case_id)^
select id, status, origin, worker_id, checker_id, department_id, published_at, verified_at, filed_at, dispatched_at, accepted_at, resolved_at,
    resolved_by, ended_at, suspended_until, merged_into, merged_from, urged_at, reworks, returns, reopenings, rating, rated_by_requester
from grid_case
where id = :case_id;

-- name: petitions_of(case_id)
select p.petition, p.asked_by, p.asked_at, p.until, p.note, a.name, a.display_name
from case_petition p
left join account a on a.id = p.asked_by
where p.case_id = :case_id
order by p.asked_at, p.petition;

-- name: person(account_id)^
select p.role, p.area_code, a.path as area_path
from account p
left join area a on a.code = p.area_code and a.valid_to is null
where p.id = :account_id and p.disabled_at is null;

-- name: suspended_until(now, count)
-- Whoever has one of them in hand just now comes to it himself.
select id, version, area_path, status, worker_id, checker_id, department_id, published_at, verified_at, filed_at, dispatched_at,
    accepted_at, resolved_at, resolved_by, ended_at, suspended_until, merged_into, merged_from, urged_at, reworks, returns,
    reopenings, rating, rated_by_requester
from grid_case
where suspended_until <= :now
order by suspended_until
limit :count
for no key update skip locked;

-- name: take_step(status, worker_id, checker_id, department_id, published_at, verified_at, filed_at, dispatched_at, accepted_at, resolved_at, resolved_by, ended_at, suspended_until, merged_into, merged_from, urged_at, reworks, returns, reopenings, rating, rated_by_requester, case_id)^
update grid_case set
    status = :status, worker_id = :worker_id, checker_id = :checker_id, department_id = :department_id,
    published_at = :published_at, verified_at = :verified_at, filed_at = :filed_at, dispatched_at = :dispatched_at, accepted_at = :accepted_at,
    resolved_at = :resolved_at, resolved_by = :resolved_by, ended_at = :ended_at, suspended_until = :suspended_until,
    merged_into = :merged_into, merged_from = :merged_from, urged_at = :urged_at, reworks = :reworks, returns = :returns,
    reopenings = :reopenings, rating = :rating, rated_by_requester = :rated_by_requester, version = version + 1
where id = :case_id
returning area_path, category, severity::text as severity;

-- name: ask(case_id, petition, asked_by, asked_at, until, note)!
insert into case_petition (case_id, petition, asked_by, asked_at, until, note)
values (:case_id, :petition, :asked_by, :asked_at, :until, :note);

-- name: settle_petition(case_id, petition)!
delete from case_petition where case_id = :case_id and petition = :petition;

-- name: drop_petitions(case_id)!
delete from case_petition where case_id = :case_id;

-- name: tell_department(department_id, case_id, told_at)!
insert into case_department (department_id, case_id, told_at) values (:department_id, :case_id, :told_at)
on conflict do nothing;

-- name: merge_target(case_id)$
select merged_into from grid_case where id = :case_id;

-- name: merge_incidents(target, source, joined_at)!
insert into case_incident (case_id, incident_id, joined_at, merged_from)
select :target, incident_id, :joined_at, :source from case_incident where case_id = :source
on conflict do nothing;

-- name: move_incidents(target, source)!
-- By the case's own list: an index on every incident's case would cost each of millions.
update incident set case_id = :target
where id in (select incident_id from case_incident where case_id = :source) and case_id = :source;

-- name: merge_facts(source, target)!
-- Severity never falls: neither here, nor when the two are taken apart.
update grid_case t set
    severity = greatest(t.severity, s.severity),
    started_at = least(t.started_at, s.started_at),
    last_activity_at = greatest(t.last_activity_at, s.last_activity_at),
    late = t.late and s.late,
    simulated = t.simulated and s.simulated,
    version = t.version + 1
from grid_case s
where t.id = :target and s.id = :source;

-- name: unmove_incidents(source, target)!
update incident set case_id = :source
where case_id = :target and id in (select incident_id from case_incident where case_id = :source);

-- name: own_facts(source)$
-- What a case's incidents became while another case had them. Its severity now comes back.
with own as (
    select max(i.severity) as severity, min(i.started_at) as started_at,
        max(greatest(i.started_at, i.updated_at, coalesce(i.ended_at, i.started_at))) as last_activity_at
    from case_incident ci
    join incident i on i.id = ci.incident_id
    where ci.case_id = :source
)
update grid_case c set
    severity = greatest(c.severity, own.severity),
    started_at = least(c.started_at, own.started_at),
    last_activity_at = greatest(c.last_activity_at, own.last_activity_at)
from own
where c.id = :source
returning c.severity::text;

-- name: unmerge_incidents(target, source)!
delete from case_incident where case_id = :target and merged_from = :source;

-- name: carry_holds_over(target, source, now)
-- What a case was held for, the one that is taken out of it is held for as well (法律保全).
insert into legal_hold (case_id, reason, until, set_by, set_at, set_in)
select :source, h.reason, h.until, h.set_by, h.set_at, h.set_in
from legal_hold h
where h.case_id = :target and h.lifted_at is null and (h.until is null or h.until > :now)
    and not exists (
        select from legal_hold own
        where own.case_id = :source and own.lifted_at is null and own.set_by = h.set_by and own.set_at = h.set_at
            and own.reason = h.reason and own.until is not distinct from h.until
    )
order by h.id
returning reason, until;

-- name: bump_version(case_id)!
update grid_case set version = version + 1 where id = :case_id;

-- name: summary(case_id, scope, department)^
select id, number, kind, category, severity::text as severity, status, version, node, device, device_id, device_kind,
    device_name, spot, opened_at, started_at, last_activity_at, late, simulated, area_path, areas, incident_count,
    ongoing, picture, origin, drill, title, department_id, department_code, department_name, worker_id, worker_name,
    suspended_until, merged_into, urged_at, description
from case_summary
where id = :case_id and area_path ^@ :scope
  and (
    :department::bigint is null
    or exists (select from case_department told where told.case_id = case_summary.id and told.department_id = :department)
  );

-- name: summaries(scope, department, statuses, severities, kinds, device_id, before, count)
-- Which ones is found in an index alone, however many are passed over; only what is shown is read.
-- One status, one kind, one of the rare severities are said as such: each has an index in the order of the list, a set of them has not.
-- `offset 0`: a department is told of a great many cases. Each case is looked up among them; they are never gathered first.
with found as materialized (
    select id from grid_case
    where area_path ^@ :scope
      and (
        :department::bigint is null
        or exists (select from case_department told where told.case_id = grid_case.id and told.department_id = :department offset 0)
      )
      and (
        :statuses::text[] is null
        or case cardinality(:statuses::text[]) when 1 then status = (:statuses::text[])[1] else status = any(:statuses::text[]) end
      )
      and (
        :severities::text[] is null
        or case :severities::text[]
            when '{critical}' then severity = 'critical'
            when '{high}' then severity = 'high'
            else severity = any(:severities::text[]::severity[])
        end
      )
      and (
        :kinds::text[] is null
        or case cardinality(:kinds::text[]) when 1 then kind = (:kinds::text[])[1] else kind = any(:kinds::text[]) end
      )
      and (:device_id::bigint is null or device_id = :device_id)
      and (:before::bigint is null or id < :before)
    order by id desc
    limit :count
)
select id, number, kind, category, severity::text as severity, status, version, node, device, device_id, device_kind,
    device_name, spot, opened_at, started_at, last_activity_at, late, simulated, area_path, areas, incident_count,
    ongoing, picture, origin, drill, title, department_id, department_code, department_name, worker_id, worker_name,
    suspended_until, merged_into, urged_at, description
from case_summary
where id in (select id from found)
order by id desc;

-- name: due_cases(scope, department, statuses, severities, kinds, device_id, light, now, due_after, id_after, count)
-- By the clocks that run, of which there are as many as cases wait for something, and not by all cases that there ever were.
-- The clock's path is the one that its case was opened with, which the case keeps; its severity is that of its case.
-- In the order of their index, as most cases that wait fit: nobody can estimate that from all cases. Rare ones are looked up once.
select k.id, k.case_id, k.stage, k.state, k.started_at, k.amber_at, k.due_at, k.stopped_at
from case_clock k
where k.state = 'running' and k.area_path ^@ :scope
  and (:severities::text[] is null or k.severity = any(:severities::text[]))
  and (
    :light::text is null
    or case :light::text
        when 'red' then k.due_at <= :now::timestamptz
        when 'amber' then k.due_at > :now::timestamptz and k.amber_at <= :now::timestamptz
        else k.due_at > :now::timestamptz and k.amber_at > :now::timestamptz
    end
  )
  and (
    :due_after::timestamptz is null
    or (k.due_at, k.id) > (:due_after::timestamptz, :id_after::bigint)
  )
  and (
    :kinds::text[] is null
    or k.case_id in (
        select c.id from grid_case c
        where c.kind = any(:kinds::text[]) and c.status not in ('rejected', 'closed', 'merged', 'voided')
    )
  )
  and (
    :device_id::bigint is null
    or k.case_id in (
        select c.id from grid_case c
        where c.device_id = :device_id and c.status not in ('rejected', 'closed', 'merged', 'voided')
    )
  )
  and (
    :department::bigint is null
    or exists (select from case_department told where told.case_id = k.case_id and told.department_id = :department offset 0)
  )
  and (
    :statuses::text[] is null
    or exists (select from grid_case c where c.id = k.case_id and c.status = any(:statuses::text[]) offset 0)
  )
order by k.due_at, k.id
limit :count;

-- name: summaries_of(case_ids)
select id, number, kind, category, severity::text as severity, status, version, node, device, device_id, device_kind,
    device_name, spot, opened_at, started_at, last_activity_at, late, simulated, area_path, areas, incident_count,
    ongoing, picture, origin, drill, title, department_id, department_code, department_name, worker_id, worker_name,
    suspended_until, merged_into, urged_at, description
from case_summary
where id = any(:case_ids::bigint[]);

-- name: more_of(case_id)^
select c.address, c.longitude, c.latitude, c.category_code, k.name_zh, k.name_en, c.published_at, c.rating
from grid_case c left join case_category k on k.code = c.category_code
where c.id = :case_id;

-- name: pictures_of(case_id)
-- Those of its report, and of what was merged into it, and into that.
with recursive taken_in as (
    select :case_id::bigint as id
    union
    select c.id from taken_in join grid_case c on c.merged_into = taken_in.id
)
select distinct on (p.sha256) p.sha256, p.width, p.height, p.stored_at
from report_picture p join taken_in on taken_in.id = p.case_id
where p.deleted_at is null
order by p.sha256, p.stored_at;

-- name: incidents_of(case_id, count)
select i.id, i.incident_id, i.revision, i.state, i.kind, i.severity::text as severity, i.started_at, i.updated_at,
    i.ended_at, i.confidence, i.dwell_s, i.direction, i.count, i.point, i.value, i.unit, i.zone, i.historical, i.track,
    i.model, i.rule, i.note, i.device, i.views, i.fault, i.raw_code, i.simulated
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
select e.at, a.name, a.display_name, e.action, e.from_status, e.to_status, e.reason, e.note, e.severity::text as severity,
    p.name as person, p.display_name as person_name, d.name as department, o.number as other_case, e.until, e.rating
from (select * from case_event where case_id = :case_id order by id desc limit :count) e
left join account a on a.id = e.actor_id
left join account p on p.id = e.person_id
left join department d on d.id = e.department_id
left join grid_case o on o.id = e.other_case_id
order by e.id;

-- name: cases_with_evidence(node, sha256)
select distinct ci.case_id
from incident_evidence ie join case_incident ci on ci.incident_id = ie.incident_id
where ie.node = :node and ie.sha256 = :sha256
order by 1;

-- name: simulated_open(open_statuses, scope, department)$
-- Of what is open that which made devices told of.
select count(*) from grid_case c
where c.simulated and not c.drill and c.status not in ('rejected', 'closed', 'merged', 'voided')
    and c.status = any(:open_statuses::text[]) and c.area_path ^@ :scope
    and (
        :department::bigint is null
        or exists (
            select from case_department told
            where told.case_id = c.id and told.department_id = :department offset 0
        )
    );

-- name: case_figures(open_statuses, day_start, scope, department)
-- What is open is counted in the index of what goes on; what was opened today in another: neither reads the years between.
-- Of a department, what is open meets what it was told of in the order of both; one half of each pair is left out by the planner.
select severity::text as severity, sum(open_cases)::bigint as open_cases, sum(reported)::bigint as reported,
    sum(today_opened)::bigint as today_opened
from (
    select severity, count(*) filter (where status = any(:open_statuses::text[])) as open_cases,
        count(*) filter (where status = 'reported') as reported, 0 as today_opened
    from (
        select severity, status from grid_case
        where status not in ('rejected', 'closed', 'merged', 'voided') and area_path ^@ :scope and not drill
            and :department::bigint is null
        union all
        select c.severity, c.status from grid_case c join case_department told on told.case_id = c.id
        where c.status not in ('rejected', 'closed', 'merged', 'voided') and c.area_path ^@ :scope and not c.drill
            and told.department_id = :department
    ) going_on
    group by severity
    union all
    select severity, 0, 0, count(*)
    from grid_case
    where opened_at >= :day_start and area_path ^@ :scope and not drill
        and (
            :department::bigint is null
            or exists (
                select from case_department told
                where told.case_id = grid_case.id and told.department_id = :department offset 0
            )
        )
    group by severity
) counted
group by severity;

-- name: incidents_since(scope, since, department)$
select count(*)
from incident i join grid_case c on c.id = i.case_id
where c.area_path ^@ :scope and not c.drill and i.received_at >= :since
    and (
        :department::bigint is null
        or exists (
            select from case_department told
            where told.case_id = c.id and told.department_id = :department offset 0
        )
    );

-- Real danger in a drill.

-- name: tied_cases(case_id)
-- A case with those that share an incident with it, that it took in or that took it in.
with recursive tied (id) as (
    select :case_id::bigint
    union
    select other.id
    from tied
    cross join lateral (
        select theirs.case_id as id
        from case_incident ours join case_incident theirs on theirs.incident_id = ours.incident_id
        where ours.case_id = tied.id
        union all
        select c.id from grid_case c where c.merged_into = tied.id
        union all
        select c.merged_into from grid_case c where c.id = tied.id and c.merged_into is not null
    ) other
)
select id from tied order by id;

-- name: drilled_cases(case_ids)
select id, drill_id, area_path, status from grid_case
where id = any(:case_ids::bigint[]) and drill
order by id
for no key update;

-- name: finders_of(case_ids)
-- Of the incidents of these cases the devices that found them, with the drills for which.
select distinct i.drill_id, i.node, i.device
from incident i
where i.drill_id is not null
  and (
    i.case_id = any(:case_ids::bigint[])
    or exists (select from case_incident ci where ci.incident_id = i.id and ci.case_id = any(:case_ids::bigint[]))
  );

-- name: end_drilling(case_ids)!
update grid_case set drill = false, drill_id = null, version = version + 1 where id = any(:case_ids::bigint[]) and drill;

-- name: incidents_are_real(case_ids)!
update incident i set drill_id = null
where i.drill_id is not null
  and (
    i.case_id = any(:case_ids::bigint[])
    or exists (select from case_incident ci where ci.incident_id = i.id and ci.case_id = any(:case_ids::bigint[]))
  );
