-- Areas, people, sessions, audit.

create table area_level (
    level text primary key,
    position smallint not null unique,
    label_zh text not null,
    label_en text not null
);
comment on table area_level is 'Levels are data: a city with a level inside the community adds a row.';

insert into area_level (level, position, label_zh, label_en) values
    ('district', 10, '区', 'District'),
    ('street', 20, '街道', 'Street'),
    ('community', 30, '社区', 'Community'),
    ('grid', 40, '网格', 'Grid');

create table area (
    id bigint generated always as identity primary key,
    code text not null check (code ~ '^[0-9A-Za-z-]{1,32}$'),
    scheme text not null,
    level text not null references area_level,
    parent_code text,
    name text not null check (length(name) between 1 and 200),
    kind text not null default 'basic',
    path text collate "C" not null check (path like '%/'),
    boundary jsonb,
    valid_from timestamptz not null,
    valid_to timestamptz,
    check (valid_to is null or valid_to >= valid_from)
);
comment on column area.path is 'Codes from the top down, each with a slash: a subtree is path ^@ scope.';
comment on column area.boundary is 'GeoJSON geometry (Polygon or MultiPolygon), WGS 84.';

create unique index area_valid_code on area (code) where valid_to is null;
create index area_code on area (code, valid_from);
create index area_valid_path on area (path) where valid_to is null;

create table account (
    id bigint generated always as identity primary key,
    name text not null check (name ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    display_name text not null check (length(display_name) between 1 and 100),
    role text not null check (role in ('duty_chief', 'grid_worker', 'maintainer', 'administrator')),
    area_code text,
    password_hash text not null,
    created_at timestamptz not null,
    password_changed_at timestamptz not null,
    disabled_at timestamptz
);
create unique index account_name on account (name);

create table session (
    id bigint generated always as identity primary key,
    token_hash bytea not null unique check (octet_length(token_hash) = 32),
    account_id bigint not null references account on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    address text not null,
    agent text not null
);
create index session_account on session (account_id);
create index session_expiry on session (expires_at);

create table login_attempt (
    subject text primary key,
    failures integer not null,
    last_at timestamptz not null
);
comment on table login_attempt is 'Attempts not yet followed by a success, per account name and per address.';
create index login_attempt_age on login_attempt (last_at);

create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor_id bigint,
    actor_name text,
    action text not null,
    subject text not null,
    area_path text collate "C",
    address text,
    detail jsonb not null default '{}'::jsonb
);
comment on table audit is 'Append-only: who did or saw what. A trigger refuses every change.';
create index audit_subject on audit (subject, id);
create index audit_actor on audit (actor_id, id);

create function audit_refuses_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only' using errcode = 'restrict_violation';
end
$$;

create trigger audit_append_only before update or delete on audit
    for each row execute function audit_refuses_change();

create trigger audit_no_truncate before truncate on audit
    for each statement execute function audit_refuses_change();
