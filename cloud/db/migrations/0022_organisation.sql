-- The organisation: levels for each scheme of codes, sites, estates and their buildings, teams, duty shifts, where workers are.
-- depends: 0021_case_life

create table area_scheme (
    name text primary key check (name ~ '^[a-z0-9][a-z0-9_-]{0,31}$'),
    nested boolean not null
);
comment on table area_scheme is 'How a city builds the codes of its areas.';
comment on column area_scheme.nested is 'The code of an area begins with that of the area above.';

create table area_scheme_level (
    scheme text not null references area_scheme,
    level text not null references area_level,
    alphabet text not null check (alphabet in ('digits', 'letters')),
    code_length smallint check (code_length between 1 and 32),
    primary key (scheme, level)
);
comment on table area_scheme_level is 'Which levels a scheme has: a city without streets leaves them out, one with nested grids adds some.';
comment on column area_scheme_level.alphabet is 'digits: 0-9, the first is no 0; letters: 0-9, A-Z, a-z and dashes.';
comment on column area_scheme_level.code_length is 'Exactly so many characters; null: 1 to 32.';

insert into area_scheme (name, nested) values ('cn15', true), ('free', false);
insert into area_scheme_level (scheme, level, alphabet, code_length) values
    ('cn15', 'district', 'digits', 6),
    ('cn15', 'street', 'digits', 9),
    ('cn15', 'community', 'digits', 12),
    ('cn15', 'grid', 'digits', 15),
    ('free', 'district', 'letters', null),
    ('free', 'street', 'letters', null),
    ('free', 'community', 'letters', null),
    ('free', 'grid', 'letters', null);

create table site (
    id bigint generated always as identity primary key,
    code text not null check (code ~ '^[0-9A-Za-z_-]{1,32}$'),
    kind text not null check (kind in ('command_centre', 'service_centre', 'workstation', 'station', 'gate_house')),
    name text not null check (length(name) between 1 and 200),
    area_code text not null,
    longitude double precision check (longitude between -180 and 180),
    latitude double precision check (latitude between -90 and 90),
    address text check (length(address) between 1 and 300),
    hours text check (length(hours) between 1 and 200),
    created_at timestamptz not null,
    closed_at timestamptz,
    check ((longitude is null) = (latitude is null))
);
comment on table site is 'Where people work: 指挥中心, 服务中心, 工作站, 驿站, 门房.';
comment on column site.hours is 'When it is open, local time, such as 1-5 08:00-20:00; 6,7 09:00-17:00; null: nobody has said.';
create unique index site_code on site (code) where closed_at is null;
create index site_area on site (area_code) where closed_at is null;

create table estate (
    id bigint generated always as identity primary key,
    code text not null check (code ~ '^[0-9A-Za-z_-]{1,32}$'),
    name text not null check (length(name) between 1 and 200),
    area_code text not null,
    property_id bigint references department,
    longitude double precision check (longitude between -180 and 180),
    latitude double precision check (latitude between -90 and 90),
    address text check (length(address) between 1 and 300),
    created_at timestamptz not null,
    closed_at timestamptz,
    check ((longitude is null) = (latitude is null))
);
comment on table estate is 'A housing estate (小区) in a community.';
comment on column estate.property_id is 'The property company (物业) that runs it.';
create unique index estate_code on estate (code) where closed_at is null;
create index estate_area on estate (area_code) where closed_at is null;

create table building (
    id bigint generated always as identity primary key,
    estate_id bigint not null references estate,
    code text not null check (code ~ '^[0-9A-Za-z_-]{1,32}$'),
    name text not null check (length(name) between 1 and 200),
    area_code text not null,
    floors smallint check (floors between 1 and 300),
    households integer check (households between 0 and 100000),
    longitude double precision check (longitude between -180 and 180),
    latitude double precision check (latitude between -90 and 90),
    created_at timestamptz not null,
    closed_at timestamptz,
    check ((longitude is null) = (latitude is null))
);
comment on table building is 'A building (楼栋) of an estate, and the grid in which it stands.';
create unique index building_code on building (estate_id, code) where closed_at is null;
create index building_area on building (area_code) where closed_at is null;

create table team_member (
    id bigint generated always as identity primary key,
    area_code text not null,
    kind text not null check (kind in (
        'lead', 'police', 'community_worker', 'urban_management', 'market_supervision', 'sanitation', 'dynamic'
    )),
    name text not null check (length(name) between 1 and 100),
    phone text check (phone ~ '^[+0-9][0-9 -]{2,24}$'),
    account_id bigint references account,
    since timestamptz not null,
    until timestamptz check (until >= since)
);
comment on table team_member is 'The team of a grid (1+5+N): its lead, five fixed kinds, and whoever else helps. Who left stays, with the time.';
create unique index team_member_lead on team_member (area_code) where kind = 'lead' and until is null;
create unique index team_member_once on team_member (area_code, kind, name, coalesce(phone, '')) where until is null;
create index team_member_account on team_member (account_id) where until is null;

create table duty_pattern (
    id bigint generated always as identity primary key,
    account_id bigint not null references account,
    area_code text not null,
    kind text not null,
    weekdays smallint[] not null check (cardinality(weekdays) between 1 and 7),
    every_weeks smallint not null check (every_weeks between 1 and 12),
    begins_at time not null,
    lasts_min integer not null check (lasts_min between 15 and 1440),
    first_day date not null,
    last_day date check (last_day >= first_day),
    made_by bigint references account,
    made_at timestamptz not null,
    ended_at timestamptz,
    expanded_until date
);
comment on column duty_pattern.expanded_until is 'The day up to which its shifts have been made.';
comment on table duty_pattern is 'A shift that comes again each week, or every so many weeks counted from the week of its first day; local time.';

create table duty_shift (
    id bigint generated always as identity primary key,
    account_id bigint not null references account,
    area_code text not null,
    kind text not null check (kind in (
        'grid_worker', 'grid_lead', 'duty_officer', 'duty_chief', 'dispatcher', 'intake_clerk', 'site_keeper'
    )),
    from_at timestamptz not null,
    until_at timestamptz not null,
    pattern_id bigint references duty_pattern,
    pattern_day date,
    made_by bigint references account,
    made_at timestamptz not null,
    ended_at timestamptz,
    cancelled_at timestamptz,
    check (until_at > from_at),
    check ((pattern_id is null) = (pattern_day is null))
);
comment on table duty_shift is 'Who is on duty (值班) where and when. It ends early where it was handed over; a cancelled one was never worked.';
create unique index duty_shift_pattern on duty_shift (pattern_id, pattern_day);
create index duty_shift_account on duty_shift (account_id, until_at);
create index duty_shift_area on duty_shift (area_code, until_at);
create index duty_shift_time on duty_shift (until_at, from_at) where cancelled_at is null;

create table duty_swap (
    id bigint generated always as identity primary key,
    shift_id bigint not null references duty_shift,
    return_shift_id bigint references duty_shift,
    asked_by bigint not null references account,
    asked_of bigint not null references account,
    status text not null check (status in ('asked', 'accepted', 'declined', 'withdrawn', 'approved', 'refused', 'lapsed')),
    note text check (length(note) between 1 and 500),
    asked_at timestamptz not null,
    answered_at timestamptz,
    decided_by bigint references account,
    decided_at timestamptz,
    check (asked_by <> asked_of)
);
comment on table duty_swap is 'A shift that another is to take (换班), for one of his own where return_shift_id says which. Both change hands at once, on approval.';
create unique index duty_swap_shift on duty_swap (shift_id) where status in ('asked', 'accepted');
create unique index duty_swap_return on duty_swap (return_shift_id) where status in ('asked', 'accepted');

create table duty_handover (
    id bigint generated always as identity primary key,
    shift_id bigint not null references duty_shift,
    handed_by bigint not null references account,
    handed_to bigint not null references account,
    note text not null check (length(note) between 1 and 2000),
    handed_at timestamptz not null,
    taken_at timestamptz,
    next_shift_id bigint references duty_shift,
    check (handed_by <> handed_to)
);
comment on table duty_handover is 'What one tells the next (交接班). Before its end a shift passes only when the next one has taken it.';
create unique index duty_handover_open on duty_handover (shift_id) where taken_at is null;

create table duty_cover (
    id bigint generated always as identity primary key,
    area_code text not null,
    level text not null references area_level,
    kind text not null,
    hours text not null check (length(hours) between 1 and 200),
    made_by bigint references account,
    made_at timestamptz not null,
    ended_at timestamptz
);
comment on table duty_cover is 'Where somebody has to be on duty: in every area of a level inside of an area, in these hours.';
create unique index duty_cover_once on duty_cover (area_code, level, kind) where ended_at is null;

create unlogged table worker_position (
    account_id bigint primary key,
    shift_id bigint not null,
    longitude double precision not null check (longitude between -180 and 180),
    latitude double precision not null check (latitude between -90 and 90),
    accuracy_m real check (accuracy_m between 0 and 100000),
    measured_at timestamptz not null,
    received_at timestamptz not null
);
comment on table worker_position is 'Where a worker on duty is now: no trail, in no backup and no log, gone with the shift.';
create index worker_position_shift on worker_position (shift_id);

-- A position goes with its shift, in the same transaction, whatever ends it.
create function worker_position_goes() returns trigger language plpgsql as $$
begin
    if new.ended_at is not null or new.cancelled_at is not null or new.account_id <> old.account_id
        or new.until_at < old.until_at
    then
        delete from worker_position where shift_id = old.id;
    end if;
    return null;
end
$$;
create trigger duty_shift_position after update on duty_shift
    for each row execute function worker_position_goes();
