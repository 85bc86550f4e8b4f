-- Working calendars, limits of stages, the clocks of cases and what they fired; whistles and who reported in; gaps in duty.
-- depends: 0021_case_life

create table work_calendar (
    id bigint generated always as identity primary key,
    area_code text,
    timezone text not null,
    effective_from date not null,
    hours text[] not null check (array_length(hours, 1) = 7),
    makeup text not null,
    holidays boolean not null,
    created_at timestamptz not null default clock_timestamp(),
    created_by bigint references account
);
comment on table work_calendar is 'Working hours (工作时) of an area from a day on, Monday first; area_code null: of all that have none of their own.';
comment on column work_calendar.makeup is 'The hours of a weekend day that is worked instead of another (调休).';
create unique index work_calendar_from on work_calendar (coalesce(area_code, ''), effective_from);

insert into work_calendar (timezone, effective_from, hours, makeup, holidays) values (
    'Asia/Shanghai', '2004-01-01',
    array['08:30-12:00 14:00-17:30', '08:30-12:00 14:00-17:30', '08:30-12:00 14:00-17:30', '08:30-12:00 14:00-17:30',
        '08:30-12:00 14:00-17:30', '', ''],
    '08:30-12:00 14:00-17:30', true
);

create table special_day (
    id bigint generated always as identity primary key,
    area_code text,
    day date not null,
    worked boolean not null,
    name text not null check (length(name) <= 200),
    created_at timestamptz not null,
    created_by bigint references account
);
comment on table special_day is 'Days that an area, or the country before the program knows of it, works or rests against the rule.';
create unique index special_day_day on special_day (coalesce(area_code, ''), day);

create table deadline_rule (
    id bigint generated always as identity primary key,
    area_code text,
    category text,
    severity text check (severity in ('low', 'medium', 'high', 'critical')),
    stage text not null check (stage in (
        'verifying', 'dispatching', 'receipt', 'handling', 'suspension', 'checking', 'arrival'
    )),
    amount integer not null check (amount between 1 and 1000000),
    unit text not null check (unit in ('minutes', 'working_minutes', 'working_days')),
    amber_percent smallint not null check (amber_percent between 1 and 100),
    effective_from timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    created_by bigint references account
);
comment on table deadline_rule is 'The limit of a stage for clocks that begin at effective_from or later; null stands for any. The nearest rule counts.';
create index deadline_rule_stage on deadline_rule (stage);

insert into deadline_rule (severity, stage, amount, unit, amber_percent, effective_from) values
    (null, 'verifying', 40, 'working_minutes', 80, '2004-01-01T00:00:00Z'),
    ('high', 'verifying', 30, 'minutes', 80, '2004-01-01T00:00:00Z'),
    ('critical', 'verifying', 10, 'minutes', 80, '2004-01-01T00:00:00Z'),
    (null, 'dispatching', 20, 'working_minutes', 80, '2004-01-01T00:00:00Z'),
    ('high', 'dispatching', 15, 'minutes', 80, '2004-01-01T00:00:00Z'),
    ('critical', 'dispatching', 5, 'minutes', 80, '2004-01-01T00:00:00Z'),
    (null, 'receipt', 60, 'working_minutes', 80, '2004-01-01T00:00:00Z'),
    ('high', 'receipt', 30, 'minutes', 80, '2004-01-01T00:00:00Z'),
    ('critical', 'receipt', 10, 'minutes', 80, '2004-01-01T00:00:00Z'),
    (null, 'handling', 1, 'working_days', 80, '2004-01-01T00:00:00Z'),
    ('low', 'handling', 3, 'working_days', 80, '2004-01-01T00:00:00Z'),
    ('high', 'handling', 240, 'working_minutes', 80, '2004-01-01T00:00:00Z'),
    ('critical', 'handling', 120, 'minutes', 80, '2004-01-01T00:00:00Z'),
    (null, 'suspension', 30, 'working_days', 80, '2004-01-01T00:00:00Z'),
    (null, 'checking', 1, 'working_days', 80, '2004-01-01T00:00:00Z'),
    ('critical', 'checking', 240, 'minutes', 80, '2004-01-01T00:00:00Z'),
    (null, 'arrival', 60, 'minutes', 80, '2004-01-01T00:00:00Z'),
    ('high', 'arrival', 30, 'minutes', 80, '2004-01-01T00:00:00Z'),
    ('critical', 'arrival', 15, 'minutes', 80, '2004-01-01T00:00:00Z');

create table escalation_rung (
    id bigint generated always as identity primary key,
    area_code text,
    severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
    level text not null references area_level,
    amount integer not null check (amount between 0 and 1000000),
    unit text not null check (unit in ('minutes', 'working_minutes', 'working_days'))
);
comment on table escalation_rung is 'Which level is told so long after a deadline has passed. The ladder of an area replaces those of the areas above.';
create unique index escalation_rung_level on escalation_rung (coalesce(area_code, ''), severity, level);

insert into escalation_rung (severity, level, amount, unit) values
    ('low', 'grid', 60, 'working_minutes'),
    ('low', 'community', 2, 'working_days'),
    ('low', 'street', 5, 'working_days'),
    ('low', 'district', 10, 'working_days'),
    ('medium', 'grid', 0, 'working_minutes'),
    ('medium', 'community', 60, 'working_minutes'),
    ('medium', 'street', 1, 'working_days'),
    ('medium', 'district', 3, 'working_days'),
    ('high', 'grid', 0, 'minutes'),
    ('high', 'community', 20, 'minutes'),
    ('high', 'street', 60, 'minutes'),
    ('high', 'district', 180, 'minutes'),
    ('critical', 'grid', 0, 'minutes'),
    ('critical', 'community', 5, 'minutes'),
    ('critical', 'street', 10, 'minutes'),
    ('critical', 'district', 20, 'minutes');

create table case_clock (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    area_path text collate "C" not null,
    category text not null,
    severity text not null,
    stage text not null,
    state text not null check (state in ('running', 'paused', 'ended')),
    started_at timestamptz not null,
    since timestamptz not null,
    used interval not null,
    due_at timestamptz not null,
    amber_at timestamptz not null,
    extended_until timestamptz,
    stopped_at timestamptz,
    deadline integer not null,
    fired integer not null,
    next_at timestamptz,
    rule_id bigint references deadline_rule,
    makeshift boolean not null,
    stale boolean not null,
    check ((stopped_at is null) = (state = 'running'))
);
comment on table case_clock is 'What a case waits for, and until when. One runs at a time; those that rest or have ended are kept.';
comment on column case_clock.used is 'Of its limit, before `since`.';
comment on column case_clock.deadline is 'Grows when the time is put off after something has fired.';
comment on column case_clock.next_at is 'When it fires next. One that has stopped still fires what fell due before.';
comment on column case_clock.makeshift is 'No rule, or a calendar without an open hour: counted on the wall.';
comment on column case_clock.stale is 'Rules, hours or severity have changed: to be worked out again.';
create unique index case_clock_running on case_clock (case_id) where state = 'running';
create index case_clock_case on case_clock (case_id, id);
create index case_clock_next on case_clock (next_at, id) where next_at is not null;
create index case_clock_stale on case_clock (id) where stale;
create index case_clock_due on case_clock (due_at, id) where state = 'running';
create index case_clock_area on case_clock (area_path) where state = 'running';

create table clock_firing (
    clock_id bigint not null references case_clock,
    deadline integer not null,
    number integer not null,
    kind text not null check (kind in ('amber', 'red', 'escalate')),
    level text,
    due_at timestamptz not null,
    fired_at timestamptz not null,
    primary key (clock_id, deadline, number)
);
comment on table clock_firing is 'What clocks fired: when it was due and when that was noticed. Once each.';

create function case_clock_severity() returns trigger language plpgsql as $$
begin
    update case_clock set severity = new.severity::text, stale = true where case_id = new.id and state <> 'ended';
    return null;
end $$;
create trigger case_clock_severity after update of severity on grid_case
    for each row when (old.severity is distinct from new.severity) execute function case_clock_severity();

create table whistle (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    clock_id bigint references case_clock,
    level text not null references area_level,
    area_path text collate "C" not null,
    blown_at timestamptz not null,
    blown_by bigint references account,
    note text,
    ended_at timestamptz,
    ended_by bigint references account,
    end_note text
);
comment on table whistle is 'A level calls those who are needed (吹哨). blown_by null: its clock did.';
create unique index whistle_open on whistle (case_id, level) where ended_at is null;
create index whistle_case on whistle (case_id, id);

create table whistle_call (
    id bigint generated always as identity primary key,
    whistle_id bigint not null references whistle,
    department_id bigint references department,
    account_id bigint references account,
    called_at timestamptz not null,
    due_at timestamptz not null,
    arrived_at timestamptz,
    arrived_by bigint references account,
    arrival_note text,
    overdue_at timestamptz,
    check ((department_id is null) <> (account_id is null))
);
comment on table whistle_call is 'Who was called, by when to report in (报到), and when that was done. overdue_at: when it was noticed that nobody came.';
create unique index whistle_call_department on whistle_call (whistle_id, department_id) where department_id is not null;
create unique index whistle_call_account on whistle_call (whistle_id, account_id) where account_id is not null;
create index whistle_call_due on whistle_call (due_at, id) where arrived_at is null and overdue_at is null;

create table duty_warning (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('nobody_on_duty', 'no_channel', 'calendar_ends')),
    area_code text,
    area_path text collate "C" not null,
    account_id bigint references account,
    from_at timestamptz not null,
    until timestamptz,
    told_account_id bigint references account,
    raised_at timestamptz not null,
    seen_at timestamptz not null,
    over_at timestamptz
);
comment on table duty_warning is 'Raised beforehand: an area without anybody on duty, a person whom no channel reaches, a calendar that ends. told_account_id: of the next level.';
create unique index duty_warning_open on duty_warning (kind, area_path, coalesce(account_id, 0)) where over_at is null;
