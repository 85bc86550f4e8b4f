-- Commands to nodes: who asked what of whom, and what came of it.
-- depends: 0012_evidence_kept

create table command (
    id uuid primary key,
    node_id bigint not null references node on delete cascade,
    session uuid not null,
    name text not null check (name ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    device text,
    arguments jsonb not null default '{}'::jsonb,
    asked_by bigint references account on delete set null,
    asked_by_name text not null,
    asked_at timestamptz not null,
    deadline timestamptz not null,
    state text not null default 'queued'
        check (state in ('queued', 'sent', 'delivered', 'done', 'failed', 'refused', 'timed_out')),
    sent_at timestamptz,
    delivered_at timestamptz,
    ended_at timestamptz,
    reason text,
    result json,
    check ((ended_at is null) = (state in ('queued', 'sent', 'delivered')))
);
comment on table command is 'Asked of the session of a node that was present; carried out once, before the deadline, or not at all.';
comment on column command.sent_at is 'When it was last given to the broker.';
comment on column command.result is 'As the node wrote it (the order of keys included); forgotten after a day, with the arguments.';

create unique index command_running on command (node_id, name, coalesce(device, ''))
    where state in ('queued', 'sent', 'delivered');
create index command_of_node on command (node_id, asked_at desc);
create index command_age on command (asked_at);
