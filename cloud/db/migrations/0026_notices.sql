-- Telling people: the queue of what happened to cases, what each person was told, on which channels, and how far it came.
-- depends: 0021_case_life

create table notice_due (
    id bigint generated always as identity primary key,
    case_event_id bigint not null references case_event,
    not_before timestamptz not null default '-infinity',
    attempts integer not null default 0
);
comment on table notice_due is 'What is in the history of a case and nobody was told yet. Made by a trigger, so that no way to write history misses it.';
create index notice_due_next on notice_due (not_before, id);

create function queue_notice() returns trigger
language plpgsql as $$
begin
    if new.action not in ('incident_added', 'continued', 'folded', 'folded_false_alarm') then
        insert into notice_due (case_event_id) values (new.id);
    end if;
    return null;
end
$$;
create trigger case_event_notice after insert on case_event for each row execute function queue_notice();

create table notice_preference (
    account_id bigint primary key references account,
    quiet_from time,
    quiet_to time,
    digest_min integer not null check (digest_min between 0 and 240),
    language text not null check (language in ('zh', 'en')),
    changed_at timestamptz not null,
    constraint notice_preference_quiet check ((quiet_from is null) = (quiet_to is null))
);

create table notice_channel (
    id bigint generated always as identity primary key,
    account_id bigint not null references account,
    kind text not null check (kind in ('web_push', 'chat', 'gateway')),
    label text not null check (length(label) between 1 and 100),
    place smallint not null check (place between 0 and 9),
    target bytea not null,
    fingerprint bytea not null check (octet_length(fingerprint) = 32),
    created_at timestamptz not null,
    created_by bigint references account,
    disabled_at timestamptz,
    worked_at timestamptz,
    failed_at timestamptz,
    failure text
);
comment on column notice_channel.place is 'Which comes first; the next place has its turn when all of one have given up.';
comment on column notice_channel.target is 'The address with its secrets, encrypted with the key of the cloud; shown to nobody.';
comment on column notice_channel.fingerprint is 'A keyed hash of the address: a browser that another person uses now tells the one before nothing more.';
create index notice_channel_account on notice_channel (account_id, place) where disabled_at is null;
create unique index notice_channel_browser on notice_channel (fingerprint) where kind = 'web_push' and disabled_at is null;

create table notice (
    id bigint generated always as identity primary key,
    account_id bigint not null references account,
    case_id bigint references grid_case,
    case_event_id bigint references case_event,
    warning_id bigint,
    word text not null,
    audience text,
    urgency text not null check (urgency in ('quiet', 'digest', 'ring', 'alarm')),
    manner text not null check (manner in ('ring', 'quiet', 'gathered')),
    because text not null,
    gather_at timestamptz,
    gathered_into bigint references notice,
    cases integer not null default 1,
    number text,
    kind text,
    category text,
    severity severity,
    status text,
    area_code text,
    area_name text,
    drill boolean not null default false,
    simulated boolean not null default false,
    created_at timestamptz not null,
    seen_at timestamptz,
    constraint notice_gathered check ((manner = 'gathered') = (gather_at is not null))
);
comment on table notice is 'One fact that one person was told. All of one person about one case are a thread.';
comment on column notice.warning_id is 'The row of duty_warning that it tells of, where it is of no case.';
create unique index notice_once on notice (case_event_id, account_id);
create unique index notice_warned_once on notice (warning_id, account_id);
create index notice_account on notice (account_id, id desc);
create index notice_thread on notice (account_id, case_id, id desc);
create index notice_case on notice (case_id, id);
create index notice_recent on notice (account_id, created_at);
create index notice_unseen on notice (account_id) where seen_at is null;
create index notice_waiting on notice (gather_at) where manner = 'gathered' and gathered_into is null;
create index notice_gathered_into on notice (gathered_into) where gathered_into is not null;
create index notice_age on notice (created_at);

create table notice_delivery (
    id bigint generated always as identity primary key,
    notice_id bigint not null references notice on delete cascade,
    channel_id bigint not null references notice_channel,
    state text not null check (state in ('queued', 'sent', 'given_up', 'muted')),
    attempts integer not null default 0,
    due_at timestamptz not null,
    claimed_until timestamptz,
    ended_at timestamptz,
    failure text,
    constraint notice_delivery_once unique (notice_id, channel_id)
);
create index notice_delivery_due on notice_delivery (due_at) where state = 'queued';
create index notice_delivery_channel on notice_delivery (channel_id, id desc);

-- Who can be reached when no page of his is open.
create view account_reachable as
select account_id, min(place) as place from notice_channel where disabled_at is null group by account_id;
