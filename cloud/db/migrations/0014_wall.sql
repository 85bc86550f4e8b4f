-- The picture wall: who looks at which camera, and the last picture of each.
-- Unlogged: a picture lives for minutes, is in no backup and on no other server, and is gone after a crash of this one.
-- depends: 0013_command

create unlogged table wall_lease (
    device_id bigint not null references device on delete cascade,
    session_id bigint not null references session on delete cascade,
    page text not null check (length(page) <= 32),
    account_id bigint not null references account on delete cascade,
    purpose text not null check (length(purpose) between 3 and 200),
    began_at timestamptz not null,
    until_at timestamptz not null,
    primary key (device_id, session_id, page)
);
comment on table wall_lease is 'A person looks at a camera until then; renewed while he does. That he did stands in the audit log.';
comment on column wall_lease.page is 'Which of the windows of a session: each has a wall of its own.';
create index wall_lease_account on wall_lease (account_id);
create index wall_lease_session on wall_lease (session_id, page);

create unlogged table wall_camera (
    device_id bigint primary key references device on delete cascade,
    asked_at timestamptz,
    command_id uuid,
    absence text check (absence in ('waiting', 'lost', 'refused', 'overloaded', 'untaken')),
    absence_at timestamptz,
    captured_at timestamptz,
    received_at timestamptz,
    picture bytea check (octet_length(picture) <= 204800)
);
comment on table wall_camera is 'The last picture of a camera that somebody looks at, or why there is none.';
comment on column wall_camera.command_id is 'The command by which its node was last asked for pictures.';
