-- The deadline of a whole case (办结时限), apart from the clocks of its stages; and a version of all rules, which are read once for each.
-- depends: 0025_deadlines

alter table deadline_rule drop constraint deadline_rule_stage_check;
alter table deadline_rule add constraint deadline_rule_stage_check check (stage in (
    'verifying', 'dispatching', 'receipt', 'handling', 'suspension', 'checking', 'arrival', 'whole'
));
insert into deadline_rule (severity, stage, amount, unit, amber_percent, effective_from) values
    (null, 'whole', 5, 'working_days', 80, '2004-01-01T00:00:00Z'),
    ('low', 'whole', 10, 'working_days', 80, '2004-01-01T00:00:00Z'),
    ('high', 'whole', 3, 'working_days', 80, '2004-01-01T00:00:00Z'),
    ('critical', 'whole', 1440, 'minutes', 80, '2004-01-01T00:00:00Z');

create table whole_clock (
    case_id bigint primary key references grid_case,
    area_path text collate "C" not null,
    category text not null,
    severity text not null,
    state text not null check (state in ('running', 'paused')),
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
comment on table whole_clock is 'How long a case may take from its first opening to its end. It rests while the case is suspended, merged or over, and goes on with what was left.';
create index whole_clock_next on whole_clock (next_at, case_id) where next_at is not null;
create index whole_clock_stale on whole_clock (case_id) where stale;
create index whole_clock_due on whole_clock (due_at, case_id) where state = 'running';

create table whole_firing (
    case_id bigint not null references whole_clock,
    deadline integer not null,
    number integer not null,
    kind text not null check (kind in ('amber', 'red', 'escalate')),
    level text,
    due_at timestamptz not null,
    fired_at timestamptz not null,
    primary key (case_id, deadline, number)
);
comment on table whole_firing is 'What the clocks of whole cases fired: when it was due and when that was noticed. Once each.';

create or replace function case_clock_severity() returns trigger language plpgsql as $$
begin
    update case_clock set severity = new.severity::text, stale = true where case_id = new.id and state <> 'ended';
    update whole_clock set severity = new.severity::text, stale = true where case_id = new.id;
    return null;
end $$;

create table rulebook_version (
    id smallint primary key check (id = 1),
    version uuid not null
);
comment on table rulebook_version is 'Another one after each change of limits, ladders, hours, days or levels; one that was rolled back never comes again.';
insert into rulebook_version (id, version) values (1, gen_random_uuid());

create function rulebook_changed() returns trigger language plpgsql as $$
begin
    update rulebook_version set version = gen_random_uuid();
    return null;
end $$;
create trigger rulebook_changed after insert or update or delete or truncate on work_calendar
    for each statement execute function rulebook_changed();
create trigger rulebook_changed after insert or update or delete or truncate on special_day
    for each statement execute function rulebook_changed();
create trigger rulebook_changed after insert or update or delete or truncate on deadline_rule
    for each statement execute function rulebook_changed();
create trigger rulebook_changed after insert or update or delete or truncate on escalation_rung
    for each statement execute function rulebook_changed();
create trigger rulebook_changed after insert or update or delete or truncate on area_level
    for each statement execute function rulebook_changed();
