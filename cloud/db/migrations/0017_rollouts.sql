-- What nodes shall run and what they run: signed artifacts, rollouts by rings and stages, each node's step, and its order.
-- depends: 0015_departments

alter table node add column ring text not null default 'broad' check (ring in ('canary', 'early', 'broad'));
comment on column node.ring is 'How early the node gets what is new; set by people.';

create table artifact (
    id bigint generated always as identity primary key,
    kind text not null check (kind ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    name text not null check (name ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    version text not null check (length(version) between 1 and 64),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint not null check (size_bytes > 0),
    signed_at timestamptz not null,
    key text not null check (key ~ '^[0-9a-f]{64}$'),
    sig text not null check (length(sig) <= 200),
    added_by text not null,
    added_at timestamptz not null,
    stored_at timestamptz,
    unique (kind, name, version)
);
comment on table artifact is 'A signed file for nodes. Its content never changes: a version with other bytes is refused.';
comment on column artifact.stored_at is 'Since when its bytes are in the store of evidence; without them nobody is told to fetch it.';
create index artifact_sha256 on artifact (sha256);

create function artifact_refuses_change() returns trigger language plpgsql as $$
begin
    if (new.kind, new.name, new.version, new.sha256, new.size_bytes)
        is distinct from (old.kind, old.name, old.version, old.sha256, old.size_bytes) then
        raise exception 'what was registered does not change' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;

create trigger artifact_immutable before update on artifact
    for each row execute function artifact_refuses_change();

create table node_artifact (
    node_id bigint not null references node on delete cascade,
    artifact text not null,
    name text not null,
    version text not null,
    sha256 text not null,
    announced_at timestamptz not null,
    primary key (node_id, artifact, name)
);
comment on table node_artifact is 'What the newest birth of a node says that it runs and has found to be well.';

create table node_step (
    node_id bigint not null references node on delete cascade,
    artifact text not null,
    name text not null,
    desired_id uuid,
    version text not null,
    sha256 text not null,
    state text not null,
    code text,
    reason text,
    told_at timestamptz not null,
    received_at timestamptz not null,
    primary key (node_id, artifact, name)
);
comment on table node_step is 'How far a node says that it is with the last order for an artifact. It is no proof of success.';

create table rollout (
    id uuid primary key,
    title text not null check (length(title) between 1 and 200),
    artifact_id bigint not null references artifact,
    area_code text,
    area_path text collate "C" not null,
    only_running boolean not null,
    may_lower boolean not null,
    plan jsonb not null,
    state text not null default 'draft' check (
        state in ('draft', 'running', 'soaking', 'waiting_approval', 'paused', 'rolling_back', 'rolled_back', 'done', 'failed', 'cancelled')
    ),
    reason text,
    cause text,
    stage smallint not null default 0,
    approved smallint not null default -1,
    created_by bigint references account on delete set null,
    created_by_name text not null,
    created_at timestamptz not null,
    started_by bigint references account on delete set null,
    started_by_name text,
    started_at timestamptz,
    turned_at timestamptz,
    ended_at timestamptz
);
comment on column rollout.cause is 'What the reason is about, for pages in any language; person: in the words of whoever did it.';
comment on column rollout.approved is 'The last stage that a second person let pass; -1 for none.';
comment on column rollout.turned_at is 'When it began to turn back.';
create index rollout_live on rollout (id)
    where state in ('running', 'soaking', 'waiting_approval', 'paused', 'rolling_back');

create table rollout_step (
    rollout_id uuid not null references rollout on delete cascade,
    node_id bigint not null references node on delete cascade,
    artifact text not null,
    name text not null,
    stage smallint not null,
    state text not null check (
        state in (
            'pending', 'offered', 'absent', 'fetching', 'trying', 'announced', 'done', 'skipped', 'refused', 'failed',
            'rolled_back', 'timed_out', 'cancelled', 'superseded', 'reverting', 'reverted', 'stuck'
        )
    ),
    holds boolean not null default true,
    changed_at timestamptz not null,
    reason text,
    detail text,
    failure text,
    previous_version text,
    previous_sha256 text,
    desired_id uuid,
    was_sent boolean not null default false,
    announced_at timestamptz,
    session uuid,
    restarts smallint not null default 0,
    ill_since timestamptz,
    degraded_before text[] not null default '{}',
    primary key (rollout_id, node_id)
);
comment on column rollout_step.holds is 'While the rollout lives no other one of the same artifact may have the node.';
comment on column rollout_step.previous_version is 'What the node announced before it was asked.';
comment on column rollout_step.failure is 'Why it counted against its stage; kept when the node is turned back.';
create unique index rollout_step_holds on rollout_step (node_id, artifact, name) where holds;
create index rollout_step_open on rollout_step (rollout_id)
    where state in ('offered', 'absent', 'fetching', 'trying', 'announced', 'timed_out', 'reverting', 'stuck');
create index rollout_step_of_node on rollout_step (node_id);

create table node_desired (
    node_id bigint not null references node on delete cascade,
    artifact text not null,
    name text not null,
    artifact_id bigint not null references artifact,
    desired_id uuid not null unique,
    roll_back boolean not null,
    confirm boolean not null,
    issued_at timestamptz not null,
    rollout_id uuid references rollout on delete set null,
    first_sent_at timestamptz,
    sent_at timestamptz,
    sent_session uuid,
    primary key (node_id, artifact, name)
);
comment on table node_desired is 'What a node shall run now: one version of an artifact at a time. Sent while it is present and announces something else.';
comment on column node_desired.confirm is 'It is sent also to a node that announces it already: another order may be under way there.';

create table rollout_event (
    id bigint generated always as identity primary key,
    rollout_id uuid not null references rollout on delete cascade,
    at timestamptz not null,
    node text,
    before text,
    after text not null,
    reason text,
    detail text,
    actor_name text
);
comment on table rollout_event is 'Everything that became of a rollout and of its nodes, in order.';
create index rollout_event_order on rollout_event (rollout_id, id);
