-- Nodes and their devices: what was enrolled, what the newest birth says of it, and whether it is there.
-- depends: 0001_access

create table node (
    id bigint generated always as identity primary key,
    name text not null unique check (name ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    district text not null check (district ~ '^[0-9]{6}$'),
    area_code text not null,
    title text,
    mqtt_password_hash text,
    token_hash bytea unique check (octet_length(token_hash) = 32),
    created_at timestamptz not null,
    registry_version bigint not null default 1,
    session uuid,
    birth_id uuid,
    birth_seq bigint,
    born_at timestamptz,
    software text,
    profile text,
    models jsonb not null default '[]'::jsonb,
    degraded jsonb not null default '[]'::jsonb,
    skew_s double precision,
    presence text not null default 'unknown' check (presence in ('online', 'lost', 'unknown')),
    presence_since timestamptz,
    presence_session uuid,
    last_seen_at timestamptz
) with (fillfactor = 70);
comment on table node is 'An accepted node. What announces itself without being enrolled stands in quarantined_node.';
comment on column node.area_code is 'The area that a device without a grid of its own belongs to.';
comment on column node.mqtt_password_hash is 'As mosquitto keeps it ($7$, PBKDF2-SHA512), so that its password file can be written from here.';
comment on column node.registry_version is 'Grows with every change of the node, its devices or points: what ingest remembers of it is then read again.';
comment on column node.session is 'The start of the node that the registry describes.';
comment on column node.presence_session is 'The session that was last told to be online; a last will of another one changes nothing.';

create table device (
    id bigint generated always as identity primary key,
    node_id bigint not null references node on delete cascade,
    name text not null check (name ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    kind text not null,
    title text,
    spot text,
    grid_code text,
    longitude double precision check (longitude between -180 and 180),
    latitude double precision check (latitude between -90 and 90),
    simulated boolean not null default false,
    declared boolean not null default true,
    created_at timestamptz not null,
    presence text not null default 'unknown' check (presence in ('online', 'degraded', 'lost', 'unknown')),
    presence_since timestamptz,
    presence_told_at timestamptz,
    degraded boolean not null default false,
    presence_shown text not null generated always as (
        case when presence = 'online' and degraded then 'degraded' else presence end
    ) stored,
    last_seen_at timestamptz,
    unique (node_id, name)
) with (fillfactor = 70);
comment on column device.declared is 'Whether the newest birth still names it; what was once declared keeps its history.';
comment on column device.presence_told_at is 'Event time of the newest word of the node on it; an older word that comes late changes nothing.';
comment on column device.degraded is 'Whether the newest birth says that it works in part only.';
comment on column device.grid_code is 'Set by people; a birth never moves a device.';

create table quarantined_node (
    name text primary key,
    district text not null,
    birth jsonb,
    messages bigint not null default 0,
    refused bigint not null default 0,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null
);
comment on table quarantined_node is 'Announces itself, but nobody enrolled it; a person accepts it or leaves it. Bounded in number.';
