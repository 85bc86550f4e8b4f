-- Evidence: what incidents named, and what of it is stored.

-- name: name_file(node, sha256, kind, mime, bytes)!
-- The first to name a hash says what it is; another description of the same bytes is not believed.
insert into evidence (node, sha256, kind, mime, bytes)
values (:node, :sha256, :kind, :mime, :bytes)
on conflict do nothing;

-- name: link_file(incident_id, node, sha256, captured_at)!
insert into incident_evidence (incident_id, node, sha256, captured_at)
values (:incident_id, :node, :sha256, :captured_at)
on conflict do nothing;

-- name: named_file(node, sha256)^
select sha256, kind, mime, bytes, stored_at from evidence where node = :node and sha256 = :sha256;

-- name: mark_stored(now, node, sha256)!
update evidence set stored_at = :now where node = :node and sha256 = :sha256 and stored_at is null;

-- name: visible_file(sha256, scope)^
-- A stored file that belongs to a case in scope.
select e.sha256, e.mime, e.bytes, e.kind, c.id as case_id, c.area_path
from evidence e
join incident_evidence ie on ie.node = e.node and ie.sha256 = e.sha256
join case_incident ci on ci.incident_id = ie.incident_id
join grid_case c on c.id = ci.case_id
where e.sha256 = :sha256 and e.stored_at is not null and c.area_path ^@ :scope
order by c.id desc
limit 1;

-- name: stored_files()
-- Each file once, however many nodes showed it.
select sha256, max(bytes) as bytes
from evidence
where stored_at is not null
group by sha256
order by sha256;

-- name: stored_among(names)
select distinct sha256 from evidence where sha256 = any(:names::text[]) and stored_at is not null;
