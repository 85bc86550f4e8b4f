insert into incident_verdict (incident_id, case_id, event_id, verdict, reason, judged_at, judged_by)
select i.id, e.case_id, e.id,
    case when e.action = 'confirm' then 'true' when e.reason = 'duplicate' then 'duplicate' else 'false_alarm' end, e.reason,
    e.at, e.actor_id
from case_event e
join incident i on i.id / 8 = e.case_id and i.id between %(low)s * 8 and %(high)s * 8 + 7
where e.id between %(low)s * 16 and %(high)s * 16 + 15 and e.action in ('confirm', 'dismiss');
