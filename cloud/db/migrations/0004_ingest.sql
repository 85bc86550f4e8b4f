-- What became of the messages of nodes: receipts, sequence counters, quarantine, dead letters.
-- depends: 0002_fleet

create table receipt (
    message_id uuid not null,
    node_id bigint not null,
    received_at timestamptz not null,
    primary key (message_id, node_id)
);
create index receipt_age on receipt using brin (received_at);
comment on table receipt is 'Each message counts once. Pruned by age: what can come again later has a natural key of its own.';

create table node_lane (
    node_id bigint not null references node on delete cascade,
    session uuid not null,
    lane text not null,
    highest_seq bigint not null,
    received bigint not null,
    updated_at timestamptz not null,
    primary key (node_id, session, lane)
) with (fillfactor = 70);
comment on table node_lane is 'highest_seq - received messages of this lane are still under way or lost.';

create table quarantine (
    id bigint generated always as identity primary key,
    message_id uuid not null,
    district text not null,
    node text not null,
    channel text not null,
    payload bytea not null,
    reason text not null,
    subject text not null,
    received_at timestamptz not null,
    settled boolean not null,
    released boolean not null default false,
    unique (node, district, message_id)
);
create index quarantine_released on quarantine (id) where released;
comment on table quarantine is 'Messages of unknown nodes, devices and points. A release hands them to ingest again.';
comment on column quarantine.settled is 'Of an accepted node: its receipt was written when it came here, a release counts it no second time.';

create table dead_letter (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    topic text not null,
    node text,
    message_id uuid,
    reason text not null,
    detail text not null,
    bytes integer not null,
    payload bytea not null
);
comment on table dead_letter is 'What can not be taken, with its reason; payload is cut. The newest few thousand are kept.';
