-- Nodes that bring a key of their own: claim codes, keys, credentials with an end; devices that wait for a person; nodes that are away.
-- depends: 0015_departments

create table claim (
    id bigint generated always as identity primary key,
    node text not null check (node ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    district text not null check (district ~ '^[0-9]{6}$'),
    area_code text not null,
    trusts_births boolean not null,
    selector text not null unique,
    code_hash bytea not null check (octet_length(code_hash) = 32),
    made_by bigint references account on delete set null,
    made_by_name text not null,
    made_at timestamptz not null,
    expires_at timestamptz not null,
    failures integer not null default 0,
    used_at timestamptz,
    used_key bytea check (octet_length(used_key) = 32),
    revoked_at timestamptz,
    check ((used_at is null) = (used_key is null))
);
comment on table claim is 'One-time claim codes (认领码): whoever shows one binds his key to the name of a node. Only hashes are kept.';
comment on column claim.selector is 'The first part of the code: it finds the row, the rest is compared in constant time.';
comment on column claim.failures is 'Wrong codes shown with this selector; at the bound the claim is closed.';
create unique index claim_open on claim (node) where used_at is null and revoked_at is null;

create table node_key (
    id bigint generated always as identity primary key,
    node_id bigint not null references node on delete cascade,
    public_key bytea not null check (octet_length(public_key) = 32),
    bound_at timestamptz not null,
    signs_from timestamptz,
    replaced_at timestamptz
);
comment on table node_key is 'Ed25519 keys that nodes made themselves; of each node one stands, those before are kept to verify what they signed.';
comment on column node_key.signs_from is 'First use of credentials that it brought: from then on an incident without its signature is not taken in.';
create unique index node_key_standing on node_key (node_id) where replaced_at is null;
create index node_key_owner on node_key (public_key);

create table node_credential (
    node_id bigint not null references node on delete cascade,
    generation integer not null check (generation > 0),
    mqtt_password_hash text not null,
    token_hash bytea not null unique check (octet_length(token_hash) = 32),
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    primary key (node_id, generation)
);
comment on table node_credential is 'What an enrolled node logs in with. The first use of a newer one gives the older ones an end.';
create index node_credential_end on node_credential (expires_at);

create table spent_challenge (
    nonce bytea primary key check (octet_length(nonce) = 16),
    spent_at timestamptz not null
);
comment on table spent_challenge is 'Challenges that were answered: a recorded answer brings nobody anything.';

create table enrolment_secret (
    singleton boolean primary key default true check (singleton),
    secret bytea not null check (octet_length(secret) = 32)
);
comment on table enrolment_secret is 'Marks challenges as this cloud''s own; none is kept until it is answered.';

create table command_key (
    public_key bytea primary key check (octet_length(public_key) = 32),
    first_used_at timestamptz not null,
    retired_at timestamptz
);
comment on table command_key is 'Public halves of the keys that this cloud signs commands with; nodes are given those that are not retired.';

alter table node
    add column trusts_births boolean not null default true,
    add column secrets_until timestamptz,
    add column renewal_wanted_at timestamptz;
comment on column node.trusts_births is 'Whether devices that its births declare are accepted unseen; else they wait in waiting_device.';
comment on column node.secrets_until is 'When mqtt_password_hash and token_hash end, because the node has credentials with an end; null: never.';
comment on column node.renewal_wanted_at is 'A person wants new credentials; the node asks for them at its next look.';

alter table device
    add column profile text,
    add column behind text;
comment on column device.profile is 'The profile that the node applies to it, with its version, as the newest birth says.';
comment on column device.behind is 'The device of the same node (a leased line) without which it can not be reached.';

create table waiting_device (
    node_id bigint not null references node on delete cascade,
    name text not null check (name ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    declared jsonb not null,
    reason text not null check (reason in ('new', 'kind_changed')),
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    ignored_at timestamptz,
    ignored_by text,
    primary key (node_id, name)
);
comment on table waiting_device is 'Declared by an accepted node, and no person has accepted it yet; what it tells waits in quarantine.';

alter table quarantine add column vouched_by text;
comment on column quarantine.vouched_by is 'A person has released it although its signature does not fit.';

alter table command add column signed_by text;
comment on column command.signed_by is 'Fingerprint of the key that signed it when it was sent.';

create table node_absence (
    node_id bigint primary key references node on delete cascade,
    incident_id uuid not null,
    revision bigint not null,
    began_at timestamptz not null,
    devices integer not null
);
comment on table node_absence is 'Nodes that are away, each with the one incident that says so; the row goes when the node is back.';
