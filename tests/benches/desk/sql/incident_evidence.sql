insert into incident_evidence (incident_id, node, sha256, captured_at)
select i.id, i.node, encode(sha256(convert_to(i.id || ' ' || k.kind || ' ' || %(seed)s, 'UTF8')), 'hex'), i.started_at
from incident i
cross join (values ('snapshot'), ('clip')) as k (kind)
where i.id between %(low)s * 8 and %(high)s * 8 + 7 and i.started_at >= %(now)s::timestamptz - interval '60 days';
