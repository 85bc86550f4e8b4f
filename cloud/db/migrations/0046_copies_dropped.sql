-- The chain says of a copy that was dropped what is true. Whose ratings of before are.
-- depends: 0045_originals_mended 0039_issued_and_rated 0028_proof

alter table case_link_waiting drop constraint case_link_waiting_kind_check;
alter table case_link_waiting add constraint case_link_waiting_kind_check
    check (kind in ('event', 'revision', 'left', 'deleted', 'copy_dropped'));

create or replace function deletion_waits() returns trigger language plpgsql as $$
begin
    insert into case_link_waiting (case_id, kind, node, sha256, reason, at)
    select distinct ci.case_id, case when new.pruned_reason = 'fetched' then 'copy_dropped' else 'deleted' end,
        new.node, new.sha256, new.pruned_reason, new.pruned_at
    from incident_evidence ie join case_incident ci on ci.incident_id = ie.incident_id
    where ie.node = new.node and ie.sha256 = new.sha256;
    return null;
end
$$;

-- What was rated before 0039 said nobody's it was, so that the next requester took a worse rating away. The history knows it: where
-- the last rating since the end of the case is a requester's, the case has his.
update grid_case c set rated_by_requester = true
where c.status = 'closed' and c.rating is not null and not c.rated_by_requester
    and (
        select e.action from case_event e
        where e.case_id = c.id and e.action in ('rate', 'request_rated') and e.at >= c.ended_at
        order by e.id desc limit 1
    ) = 'request_rated';
