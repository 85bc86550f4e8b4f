-- What nodes say of what waits in them, the newest word of each.
-- depends: 0002_fleet

create table node_health (
    node_id bigint primary key references node on delete cascade,
    session uuid not null,
    seq bigint not null,
    told_at timestamptz not null,
    level text not null check (level in ('normal', 'warning', 'critical')),
    share double precision not null,
    readings_waiting bigint not null,
    incidents_waiting bigint not null,
    files_waiting bigint not null,
    oldest_at timestamptz,
    dropped bigint not null,
    rejected_incidents bigint not null,
    report jsonb not null
) with (fillfactor = 70);
comment on table node_health is 'The newest report of each node; a report that is older, or of a session that is over, changes nothing.';
comment on column node_health.told_at is 'When it came, by the clock of the cloud.';
comment on column node_health.oldest_at is 'Since when the oldest thing waits, by the clock of the cloud: the age is the node''s word, its clock may be wrong.';
comment on column node_health.report is 'All of it, with the node''s own times moved to the clock of the cloud.';
