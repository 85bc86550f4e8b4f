-- Keys with which other programs call the service: the intake of a hotline, of another platform.
-- depends: 0021_case_life

create table api_key (
    id bigint generated always as identity primary key,
    selector text not null check (selector ~ '^[0-9a-f]{16}$'),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    name text not null check (name ~ '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$'),
    scopes text[] not null check (cardinality(scopes) > 0),
    area_code text,
    per_minute integer not null check (per_minute between 1 and 6000),
    made_by text not null,
    made_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > made_at),
    revoked_at timestamptz,
    used_at timestamptz
);
comment on table api_key is 'What a machine shows of its key is the selector, by which the row is found, and the secret, of which the hash is kept.';
comment on column api_key.area_code is 'Where it may act; null: everywhere.';
comment on column api_key.used_at is 'When it was last used, to within some minutes.';
create unique index api_key_selector on api_key (selector);
create unique index api_key_name on api_key (name) where revoked_at is null;
