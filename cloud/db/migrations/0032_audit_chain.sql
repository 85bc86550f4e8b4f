-- The audit log as a chain: each row's hash covers the row before, and what was chained is signed from outside of the database.
-- depends: 0031_camera_access

create table audit_waiting (
    audit_id bigint primary key
);
comment on table audit_waiting is 'Rows of the audit log that no link holds yet: written with the row, gone with its link a moment later.';

create table audit_link (
    position bigint primary key check (position > 0),
    audit_id bigint not null,
    hash bytea not null check (octet_length(hash) = 32)
);
comment on table audit_link is 'The chain: SHA-256 over the row and the hash before. In the order in which rows were found, for their ids do not come in that of their commits.';
create unique index audit_link_audit on audit_link (audit_id);

create table audit_seal (
    position bigint primary key references audit_link,
    hash bytea not null check (octet_length(hash) = 32),
    sealed_at timestamptz not null,
    key text not null check (key ~ '^[0-9a-f]{64}$'),
    sig text not null
);
comment on table audit_seal is 'The chain up to a position, signed (Ed25519) with a key that does not lie in the database.';

insert into audit_waiting (audit_id) select id from audit;

create function audit_waits() returns trigger language plpgsql as $$
begin
    insert into audit_waiting (audit_id) values (new.id);
    return null;
end
$$;

create trigger audit_waits_for_link after insert on audit
    for each row execute function audit_waits();

create trigger audit_link_append_only before update or delete on audit_link
    for each row execute function audit_refuses_change();
create trigger audit_link_no_truncate before truncate on audit_link
    for each statement execute function audit_refuses_change();
create trigger audit_seal_append_only before update or delete on audit_seal
    for each row execute function audit_refuses_change();
create trigger audit_seal_no_truncate before truncate on audit_seal
    for each statement execute function audit_refuses_change();

create index audit_action on audit (action, id);
create index audit_case on audit ((detail ->> 'case'), id) where detail ->> 'case' is not null;
