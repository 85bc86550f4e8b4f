-- Evidence: what incidents named, and what of it is stored.

-- name: name_file(node, sha256, kind, mime, bytes, plain_sha256)!
-- The first to name a hash says what it is; another description of the same bytes is not believed.
insert into evidence (node, sha256, kind, mime, bytes, plain_sha256)
values (:node, :sha256, :kind, :mime, :bytes, :plain_sha256)
on conflict do nothing;

-- name: link_file(incident_id, node, sha256, captured_at)!
insert into incident_evidence (incident_id, node, sha256, captured_at)
values (:incident_id, :node, :sha256, :captured_at)
on conflict do nothing;

-- name: named_file(node, sha256)^
-- Retention has deleted it for good, where neither an incident that has come since names it, nor somebody was allowed since to see it.
select e.sha256, e.kind, e.mime, e.bytes, e.stored_at,
    e.stored_at is null and e.pruned_at is not null and e.pruned_reason is distinct from 'fetched'
    and not exists (
        select from incident_evidence ie join incident i on i.id = ie.incident_id
        where ie.node = e.node and ie.sha256 = e.sha256 and i.received_at > e.pruned_at
    )
    and not exists (
        select from sealed_order o
        where o.node = e.node and o.sha256 = e.sha256 and o.wish = 'upload' and o.ordered_at >= e.pruned_at
    ) as is_deleted
from evidence e
where e.node = :node and e.sha256 = :sha256;

-- name: lock_file(sha256)
-- Whoever stores the bytes of a hash and whoever deletes them take turns, whichever nodes named it.
select pg_advisory_xact_lock(3, hashtext(:sha256));

-- name: mark_stored(now, node, sha256)!
update evidence set stored_at = :now, pruned_at = null, pruned_reason = null where node = :node and sha256 = :sha256 and stored_at is null;

-- name: places_of_file(sha256, scope, department)
-- A stored file with each case, or work order, in scope that it belongs to; for a department with each case that it was told of.
select distinct e.sha256, e.mime, e.bytes, e.kind, place.case_id, place.order_id, place.area_path, place.status
from evidence e
join incident_evidence ie on ie.node = e.node and ie.sha256 = e.sha256
join lateral (
    select c.id as case_id, null::bigint as order_id, c.area_path, c.status
    from case_incident ci join grid_case c on c.id = ci.case_id
    where ci.incident_id = ie.incident_id
    union all
    select null, o.id, o.area_path, null
    from incident i join work_order o on o.id = i.order_id
    where i.id = ie.incident_id
) place on place.area_path ^@ :scope
where e.sha256 = :sha256 and e.stored_at is not null
    and (
        :department::bigint is null
        or exists (
            select from case_department told
            where told.case_id = place.case_id and told.department_id = :department
        )
    );

-- name: own_cases(case_ids, account_id, department, steps)
-- Those of these cases that a person, or the department that he works for, has, was given, or took one of these steps in.
select c.id
from grid_case c
where c.id = any(:case_ids::bigint[])
    and (
        :account_id in (c.worker_id, c.checker_id)
        or c.department_id = :department::bigint
        or exists (
            select from case_event e
            where e.case_id = c.id and e.action = any(:steps::text[])
                and (:account_id in (e.actor_id, e.person_id) or e.department_id = :department)
        )
    );

-- name: stored_files()
-- Each file once, however many nodes showed it; what nodes are given lies in the same store.
select sha256, max(bytes) as bytes
from (
    select sha256, bytes from evidence where stored_at is not null
    union all
    select sha256, size_bytes from artifact where stored_at is not null
    union all
    select sha256, size_bytes from report_picture where deleted_at is null
) as file
group by sha256
order by sha256;

-- name: stored_among(names)
select sha256 from evidence where sha256 = any(:names::text[]) and stored_at is not null
union
select sha256 from artifact where sha256 = any(:names::text[]) and stored_at is not null
union
select sha256 from report_picture where sha256 = any(:names::text[]) and deleted_at is null;

-- name: sealed_file(sha256, case_number)^
-- A sealed file of a case, as the node sealed it whose incident is in the case.
select e.sha256, e.bytes, e.plain_sha256, e.stored_at is not null as is_stored, c.area_path
from evidence e
join incident_evidence ie on ie.node = e.node and ie.sha256 = e.sha256
join case_incident ci on ci.incident_id = ie.incident_id
join grid_case c on c.id = ci.case_id
where e.sha256 = :sha256 and e.kind = 'sealed' and c.number = :case_number
order by e.stored_at nulls last, e.node
limit 1;

-- name: files_to_prune(closed_statuses, kinds, severities, days, other_days, shortest_days, quota_bytes, quota_days, now, count)
-- Files that no open case and no running work order needs: those whose time is over (counted from the last that happened in any of their cases), and
-- where a node has more than its share the oldest of the least severe ones, of those in whose cases nothing has happened for
-- some days. Worst first is what is kept.
with kept as (
    select e.node, e.sha256, e.kind, e.bytes, e.stored_at,
        coalesce(bool_and(c.status = any(:closed_statuses::text[])) filter (where c.id is not null), true)
            and coalesce(bool_and(o.ended_at is not null) filter (where o.id is not null), true)
            and not coalesce(bool_or(held.case_id is not null), false) as is_closed,
        coalesce(greatest(max(c.severity), max(o.severity)), 'low') as severity,
        max(greatest(ie.captured_at, c.last_activity_at, happened.at, o.last_fault_at, o.ended_at)) as last_at,
        max(
            greatest(ie.captured_at, c.last_activity_at, happened.at, o.last_fault_at, o.ended_at)
            + make_interval(days => coalesce(term.days, :other_days))
        ) as until
    from evidence e
    join incident_evidence ie on ie.node = e.node and ie.sha256 = e.sha256
    left join case_incident ci on ci.incident_id = ie.incident_id
    left join grid_case c on c.id = ci.case_id
    left join lateral (select max(at) as at from case_event where case_id = c.id) happened on true
    left join (
        select distinct case_id from legal_hold where lifted_at is null and (until is null or until > :now)
    ) held on held.case_id = c.id
    left join incident i on i.id = ie.incident_id
    left join work_order o on o.id = i.order_id
    left join unnest(:kinds::text[], :severities::text[], :days::integer[]) as term (kind, severity, days)
        on term.kind = e.kind and term.severity = coalesce(c.severity::text, o.severity::text, 'low')
    where e.stored_at is not null
    group by e.node, e.sha256
),
excess as (
    select node, sum(bytes) - :quota_bytes as bytes
    from evidence
    where stored_at is not null
    group by node
    having sum(bytes) > :quota_bytes
),
aged as (
    select k.*, k.until < :now and k.stored_at < :now::timestamptz - make_interval(days => :shortest_days) as is_over,
        k.last_at < :now::timestamptz - make_interval(days => :quota_days) as is_settled
    from kept k
    where k.is_closed
),
ranked as (
    select a.*,
        sum(a.bytes) over (partition by a.node order by a.severity, a.last_at, a.sha256) - a.bytes as bytes_before
    from aged a
    where a.is_over or a.is_settled
)
select r.node, r.sha256, r.kind, r.severity::text as severity, r.bytes, case when r.is_over then 'age' else 'quota' end as reason
from ranked r left join excess x on x.node = r.node
where r.is_over or r.bytes_before < x.bytes
order by r.severity, r.last_at, r.sha256
limit :count;

-- name: is_needed(node, sha256, closed_statuses)$
-- Whether an open case or a running work order names the file. They stay as they are until the transaction ends: none is opened
-- again in between.
with named as (
    select c.status
    from incident_evidence ie
    join case_incident ci on ci.incident_id = ie.incident_id
    join grid_case c on c.id = ci.case_id
    where ie.node = :node and ie.sha256 = :sha256
    order by c.id
    for share of c
), ordered as (
    select o.ended_at
    from incident_evidence ie
    join incident i on i.id = ie.incident_id
    join work_order o on o.id = i.order_id
    where ie.node = :node and ie.sha256 = :sha256
    order by o.id
    for share of o
)
select coalesce((select bool_or(not status = any(:closed_statuses::text[])) from named), false)
    or coalesce((select bool_or(ended_at is null) from ordered), false);

-- name: is_held(node, sha256, now)$
-- Whether a case of the file is held (法律保全), or somebody was allowed to see it and has not yet. Asked once the file and its cases are
-- locked: who holds one locks it as well, and who allows it the file.
select exists (
    select from incident_evidence ie
    join case_incident ci on ci.incident_id = ie.incident_id
    join legal_hold h on h.case_id = ci.case_id and h.lifted_at is null and (h.until is null or h.until > :now)
    where ie.node = :node and ie.sha256 = :sha256
) or exists (
    select from incident_evidence ie
    join case_incident ci on ci.incident_id = ie.incident_id
    join unseal_request r on r.case_id = ci.case_id and r.sha256 = ie.sha256
    where ie.node = :node and ie.sha256 = :sha256
        and r.allowed and r.handed_at is null and r.gone_at is null and r.expires_at > :now
);

-- name: mark_pruned(node, sha256, now, reason)!
update evidence set stored_at = null, pruned_at = :now, pruned_reason = :reason where node = :node and sha256 = :sha256 and stored_at is not null;
