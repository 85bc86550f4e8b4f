-- Links that were made of dropped copies are signed and stay; what has waited becomes the word that the program before knows.
create or replace function deletion_waits() returns trigger language plpgsql as $$
begin
    insert into case_link_waiting (case_id, kind, node, sha256, reason, at)
    select distinct ci.case_id, 'deleted', new.node, new.sha256, new.pruned_reason, new.pruned_at
    from incident_evidence ie join case_incident ci on ci.incident_id = ie.incident_id
    where ie.node = new.node and ie.sha256 = new.sha256;
    return null;
end
$$;
update case_link_waiting set kind = 'deleted' where kind = 'copy_dropped';
alter table case_link_waiting drop constraint case_link_waiting_kind_check;
alter table case_link_waiting add constraint case_link_waiting_kind_check check (kind in ('event', 'revision', 'left', 'deleted'));
