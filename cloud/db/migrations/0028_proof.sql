-- The history of each case as a chain of hashes, signed link by link; legal holds; sealed originals that two people open.
-- depends: 0021_case_life

alter table evidence add column pruned_reason text;
comment on column evidence.pruned_reason is 'Why the bytes were deleted, where they were since this is written down.';

create table case_link_waiting (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    kind text not null check (kind in ('event', 'revision', 'left', 'deleted')),
    event_id bigint references case_event,
    incident_id bigint references incident,
    revision bigint,
    node text,
    sha256 text,
    reason text,
    at timestamptz
);
comment on table case_link_waiting is 'Facts of cases that no link holds yet: written with the fact, gone with its link a moment later.';

create table case_link (
    position bigint primary key check (position > 0),
    case_id bigint not null references grid_case,
    place integer not null check (place > 0),
    kind text not null,
    event_id bigint references case_event,
    statement bytea not null,
    hash bytea not null generated always as (sha256(statement)) stored,
    ledger bytea not null check (octet_length(ledger) = 32),
    key text not null check (key ~ '^[0-9a-f]{64}$'),
    sig text not null,
    unique (case_id, place)
);
comment on table case_link is 'The chain (证据链) of each case: what happened, over the hash of what happened before, signed (Ed25519).';
comment on column case_link.statement is 'The bytes that are signed. They name people and cases by what they were called then.';
comment on column case_link.ledger is 'SHA-256 over the ledger before and this hash: one chain over all cases, so that a whole case can not go unseen.';
create index case_link_event on case_link (event_id) where event_id is not null;

create table case_checkpoint (
    position bigint primary key references case_link,
    ledger bytea not null check (octet_length(ledger) = 32),
    made_at timestamptz not null,
    key text not null check (key ~ '^[0-9a-f]{64}$'),
    sig text not null
);
comment on table case_checkpoint is 'The ledger up to a position, signed and told outside of the database: what is cut off later shows.';

create table proof_key (
    public_key bytea primary key check (octet_length(public_key) = 32),
    first_used_at timestamptz not null,
    endorsed_by bytea references proof_key,
    endorsement text,
    check ((endorsed_by is null) = (endorsement is null))
);
comment on table proof_key is 'Public halves of the keys that sign chains and exports. One that followed another is signed by that one.';

create table legal_hold (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    reason text not null,
    until timestamptz,
    set_by bigint not null references account,
    set_at timestamptz not null,
    lifted_by bigint references account,
    lifted_at timestamptz,
    lift_note text,
    check ((lifted_by is null) = (lifted_at is null))
);
comment on table legal_hold is 'Cases of which no file is deleted (法律保全), whoever else it belongs to; until null: until somebody lifts it.';
create index legal_hold_standing on legal_hold (case_id) where lifted_at is null;

create table unseal_request (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    purpose text not null,
    asked_by bigint not null references account,
    asked_at timestamptz not null,
    decided_by bigint references account,
    decided_at timestamptz,
    allowed boolean,
    expires_at timestamptz not null,
    handed_at timestamptz,
    handed_by text,
    check (decided_by <> asked_by),
    check ((decided_by is null) = (allowed is null) and (decided_at is null) = (allowed is null)),
    check (handed_at is null or (allowed is not null and allowed))
);
comment on table unseal_request is 'Who wants to see a sealed original, what for, and which second person allowed it. It is handed out once.';
comment on column unseal_request.expires_at is 'Before it is decided: the end of waiting; after that: the end of the permission.';
create index unseal_request_case on unseal_request (case_id, id);
create unique index unseal_request_open on unseal_request (case_id, sha256, asked_by) where allowed is null;

create function case_event_waits() returns trigger language plpgsql as $$
begin
    insert into case_link_waiting (case_id, kind, event_id) values (new.case_id, 'event', new.id);
    return null;
end
$$;
create trigger case_event_waits_for_link after insert on case_event
    for each row execute function case_event_waits();

create function incident_revision_waits() returns trigger language plpgsql as $$
begin
    insert into case_link_waiting (case_id, kind, incident_id, revision)
    select case_id, 'revision', new.incident_id, new.revision from case_incident where incident_id = new.incident_id;
    return null;
end
$$;
create trigger incident_revision_waits_for_link after insert on incident_revision
    for each row execute function incident_revision_waits();

create function case_incident_waits() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into case_link_waiting (case_id, kind, incident_id) values (old.case_id, 'left', old.incident_id);
    else
        insert into case_link_waiting (case_id, kind, incident_id, revision)
        select new.case_id, 'revision', incident_id, revision
        from incident_revision where incident_id = new.incident_id order by revision;
    end if;
    return null;
end
$$;
create trigger case_incident_waits_for_link after insert or delete on case_incident
    for each row execute function case_incident_waits();

create function deletion_waits() returns trigger language plpgsql as $$
begin
    insert into case_link_waiting (case_id, kind, node, sha256, reason, at)
    select distinct ci.case_id, 'deleted', new.node, new.sha256, new.pruned_reason, new.pruned_at
    from incident_evidence ie join case_incident ci on ci.incident_id = ie.incident_id
    where ie.node = new.node and ie.sha256 = new.sha256;
    return null;
end
$$;
create trigger evidence_deletion_waits_for_link after update on evidence
    for each row when (old.stored_at is not null and new.stored_at is null and new.pruned_at is not null)
    execute function deletion_waits();

create function chain_refuses_change() returns trigger language plpgsql as $$
begin
    raise exception 'the chain of a case is append-only' using errcode = 'restrict_violation';
end
$$;
create trigger case_link_append_only before update or delete on case_link
    for each row execute function chain_refuses_change();
create trigger case_link_no_truncate before truncate on case_link
    for each statement execute function chain_refuses_change();
create trigger case_checkpoint_append_only before update or delete on case_checkpoint
    for each row execute function chain_refuses_change();
create trigger case_checkpoint_no_truncate before truncate on case_checkpoint
    for each statement execute function chain_refuses_change();

-- What is here already, in the order in which it happened, as far as anybody can say.
insert into case_link_waiting (case_id, kind, event_id, incident_id, revision, node, sha256, reason, at)
select case_id, kind, event_id, incident_id, revision, node, sha256, reason, case when kind = 'deleted' then at end
from (
    select case_id, 'event' as kind, id as event_id, null::bigint as incident_id, null::bigint as revision,
        null::text as node, null::text as sha256, null::text as reason, at, 1 as turn, id as number
    from case_event
    union all
    select ci.case_id, 'revision', null, r.incident_id, r.revision, null, null, null, greatest(r.received_at, ci.joined_at), 0, r.incident_id
    from case_incident ci join incident_revision r on r.incident_id = ci.incident_id
    union all
    select distinct on (ci.case_id, e.node, e.sha256)
        ci.case_id, 'deleted', null, null, null, e.node, e.sha256, null, e.pruned_at, 2, 0
    from evidence e
    join incident_evidence ie on ie.node = e.node and ie.sha256 = e.sha256
    join case_incident ci on ci.incident_id = ie.incident_id
    where e.pruned_at is not null and e.stored_at is null
) as fact
order by fact.at, turn, number, revision;
