-- A case's own, and those that it took over with a case that was merged into it.
insert into case_incident (case_id, incident_id, joined_at, merged_from)
select i.id / 8, i.id, i.received_at, null
from incident i where i.id between %(low)s * 8 and %(high)s * 8 + 7
union all
select i.case_id, i.id, i.received_at, i.id / 8
from incident i where i.id between %(low)s * 8 and %(high)s * 8 + 7 and i.case_id <> i.id / 8;
