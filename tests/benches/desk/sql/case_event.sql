-- What each step wrote. The ids keep the order: sixteen to a case.
insert into case_event (
    id, case_id, at, actor_id, action, from_status, to_status, reason, note, severity, incident_id, person_id, department_id,
    other_case_id, rating
)
overriding system value
select c.id * 16 + s.step, c.id, s.at, s.actor, s.action, s.from_status, s.to_status, s.reason,
    case when desk.draw(c.id, 31 + 100 * %(seed)s) < 0.15 then '现场已核实，情况属实' end, case when s.step = 0 then c.severity end, s.incident,
    s.person, s.department, s.other, s.rating
from grid_case c
join desk.place p on p.path = c.area_path
cross join lateral (
    values
        (0, c.opened_at, null::bigint, 'opened', null, 'reported', null, c.id * 8, null::bigint, null::bigint, null::bigint, null::smallint),
        (1, case when desk.draw(c.id, 24 + 100 * %(seed)s) < 0.2 then c.opened_at + interval '61 seconds' end, null, 'incident_added', null, null, null,
            c.id * 8 + 1, null, null, null, null),
        (2, case when c.worker_id is not null then coalesce(c.verified_at, c.opened_at + interval '30 seconds') end, p.lead_id, 'verify',
            'reported', 'verifying', null, null, c.worker_id, null, null, null),
        (3, case when c.status not in ('voided', 'merged') then c.verified_at end, c.worker_id,
            case c.status when 'rejected' then 'dismiss' else 'confirm' end, 'verifying',
            case c.status when 'rejected' then 'rejected' else 'filed' end,
            case when c.status = 'rejected' then
                (array['weather', 'animal', 'authorised', 'light', 'misdetection', 'misdetection', 'duplicate', 'other'])[1 + floor(8 * desk.draw(c.id, 32 + 100 * %(seed)s))::integer]
            end, null, null, null, null, null),
        (4, c.dispatched_at, p.lead_id, 'dispatch', 'filed', 'dispatched', null, null, null, c.department_id, null, null),
        (5, c.accepted_at, case when c.department_id is null then c.worker_id end,
            case when c.department_id is null then 'take' else 'accept' end,
            case when c.department_id is null then 'filed' else 'dispatched' end, 'in_progress', null, null, null, null, null, null),
        (6, case when c.status = 'suspended' then c.accepted_at + interval '1 minute' end, p.lead_id, 'allow_suspension', 'in_progress',
            'suspended', null, null, null, null, null, null),
        (7, c.resolved_at, c.resolved_by, 'resolve', 'in_progress', 'resolved', null, null, null, null, null, null),
        (8, case when c.status in ('checking', 'closed') then c.resolved_at + interval '10 minutes' end, p.lead_id, 'check', 'resolved',
            'checking', null, null, p.lead_id, null, null, null),
        (9, case when c.status = 'closed' then c.ended_at end, p.lead_id, 'close', 'checking', 'closed', null, null, null, null, null, null),
        (10, case when c.status = 'voided' then c.ended_at end, p.lead_id, 'void', 'reported', 'voided', null, null, null, null, null, null),
        (11, case when c.status = 'merged' then c.ended_at end, p.lead_id, 'merge', 'reported', 'merged', null, null, null, null, c.merged_into, null),
        (12, case when c.rating is not null then c.ended_at + interval '1 day' end, p.lead_id, 'rate', null, null, null, null, null, null,
            null, c.rating)
) as s (step, at, actor, action, from_status, to_status, reason, incident, person, department, other, rating)
where c.id between %(low)s and %(high)s and s.at is not null
order by c.id, s.step;
