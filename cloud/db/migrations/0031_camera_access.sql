-- Who may look through whose cameras.
-- depends: 0023_api_keys

create table camera_access (
    id bigint generated always as identity primary key,
    owner text not null check (owner ~ '^([a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?)?$'),
    role text,
    department_id bigint references department,
    account_id bigint references account,
    allowed boolean not null,
    set_by text not null,
    set_at timestamptz not null,
    check (num_nonnulls(role, department_id, account_id) = 1)
);
comment on table camera_access is 'Where somebody may look otherwise than by default: a person''s row counts before his department''s, that before his role''s.';
comment on column camera_access.owner is 'Whose cameras (归口部门), as devices tell it; empty: those of which nobody told.';
create unique index camera_access_role on camera_access (owner, role) where role is not null;
create unique index camera_access_department on camera_access (owner, department_id) where department_id is not null;
create unique index camera_access_account on camera_access (owner, account_id) where account_id is not null;
