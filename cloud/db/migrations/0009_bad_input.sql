-- What was refused, by node and reason; dead letters that one node alone can't fill.
-- depends: 0004_ingest

create table refusal (
    node text not null,
    reason text not null,
    count bigint not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    last_detail text not null,
    primary key (node, reason)
);
comment on table refusal is 'Every message that was refused counts here, whether its dead letter was kept or not. Bounded: enrolled nodes and a few reasons.';
comment on column refusal.node is 'Empty for what no enrolled node sent.';

alter table dead_letter add column only_copy boolean not null default false;
comment on column dead_letter.only_copy is 'Came from quarantine: its node was told that it is kept, nobody else has it.';
create index dead_letter_node on dead_letter (coalesce(node, ''), id);

alter table receipt add column digest integer;
comment on column receipt.digest is 'CRC-32 of the body: the same id with another content is no resend.';
