-- Pictures of the last sixty days: those before are gone, or nobody looks at them.
insert into evidence (node, sha256, kind, mime, bytes, stored_at)
select i.node, encode(sha256(convert_to(i.id || ' ' || k.kind || ' ' || %(seed)s, 'UTF8')), 'hex'), k.kind, k.mime, k.bytes, i.received_at
from incident i
cross join (values ('snapshot', 'image/jpeg', 180000), ('clip', 'video/mp4', 2400000)) as k (kind, mime, bytes)
where i.id between %(low)s * 8 and %(high)s * 8 + 7 and i.started_at >= %(now)s::timestamptz - interval '60 days';
