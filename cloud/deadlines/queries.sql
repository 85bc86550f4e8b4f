-- Calendars, rules, clocks.

-- name: calendars()
select area_code, timezone, effective_from, hours, makeup, holidays from work_calendar order by effective_from, id;

-- name: special_days()
select area_code, day, worked, name from special_day order by day, id;

-- name: rules()
select id, area_code, category, severity, stage, amount, unit, amber_percent, effective_from
from deadline_rule
order by id;

-- name: rungs()
select r.area_code, r.severity, r.level, l.position, r.amount, r.unit
from escalation_rung r join area_level l on l.level = r.level
order by r.id;

-- name: rulebook_version()$
select version from rulebook_version;

-- name: whole_of(case_id)^
select k.case_id as id, k.case_id, k.area_path, k.category, k.severity, 'whole' as stage, k.state, k.started_at, k.since, k.used,
    k.due_at, k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id, k.makeshift,
    k.stale_since
from whole_clock k
where k.case_id = :case_id
for update;

-- name: whole_seen(case_id)^
select k.case_id as id, k.case_id, k.area_path, k.category, k.severity, 'whole' as stage, k.state, k.started_at, k.since, k.used,
    k.due_at, k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id, k.makeshift
from whole_clock k
where k.case_id = :case_id;

-- name: insert_whole(case_id, area_path, category, severity, state, started_at, since, used, due_at, amber_at, extended_until, stopped_at, deadline, fired, owed, ladder_from, next_at, rule_id, makeshift)!
insert into whole_clock (
    case_id, area_path, category, severity, state, started_at, since, used, due_at, amber_at, extended_until, stopped_at,
    deadline, fired, owed, ladder_from, next_at, rule_id, makeshift, stale
) values (
    :case_id, :area_path, :category, :severity, :state, :started_at, :since, :used, :due_at, :amber_at, :extended_until,
    :stopped_at, :deadline, :fired, :owed, :ladder_from, :next_at, :rule_id, :makeshift, false
);

-- name: update_whole(state, since, used, due_at, amber_at, extended_until, stopped_at, deadline, fired, owed, ladder_from, next_at, rule_id, makeshift, case_id)!
update whole_clock set
    state = :state, since = :since, used = :used, due_at = :due_at, amber_at = :amber_at, extended_until = :extended_until,
    stopped_at = :stopped_at, deadline = :deadline, fired = :fired, owed = :owed, ladder_from = :ladder_from,
    next_at = :next_at, rule_id = :rule_id,
    makeshift = :makeshift, stale = false, stale_since = null
where case_id = :case_id;

-- name: due_wholes(now, count)
select k.case_id as id, k.case_id, k.area_path, k.category, k.severity, 'whole' as stage, k.state, k.started_at, k.since, k.used,
    k.due_at, k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id, k.makeshift,
    c.department_id, c.worker_id
from whole_clock k join grid_case c on c.id = k.case_id
where k.next_at <= :now::timestamptz and not k.stale
order by k.next_at, k.case_id
limit :count
for no key update of k, c skip locked;

-- name: stale_wholes(count)
select k.case_id as id, k.case_id, k.area_path, k.category, k.severity, 'whole' as stage, k.state, k.started_at, k.since, k.used,
    k.due_at, k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id, k.makeshift,
    k.stale_since
from whole_clock k join grid_case c on c.id = k.case_id
where k.stale
order by k.next_at nulls last, k.case_id
limit :count
for no key update of k, c skip locked;

-- name: mark_wholes_stale(at, since, area_code)!
update whole_clock set stale = true, stale_since = coalesce(stale_since, :at::timestamptz)
where state = 'running'
  and (:since::timestamptz is null or started_at >= :since::timestamptz)
  and (:area_code::text is null or :area_code = any(string_to_array(area_path, '/')));

-- name: count_stale()$
select (select count(*) from case_clock where stale) + (select count(*) from whole_clock where stale);

-- name: insert_whole_firing(case_id, deadline, number, kind, level, due_at, fired_at)!
insert into whole_firing (case_id, deadline, number, kind, level, due_at, fired_at)
values (:case_id, :deadline, :number, :kind, :level, :due_at, :fired_at)
on conflict do nothing;

-- name: unended_clocks(case_id)
select id, case_id, area_path, category, severity, stage, state, started_at, since, used, due_at, amber_at, extended_until,
    stopped_at, deadline, fired, owed, ladder_from, next_at, rule_id, makeshift, stale_since
from case_clock
where case_id = :case_id and state <> 'ended'
order by id
for update;

-- name: insert_clock(case_id, area_path, category, severity, stage, state, started_at, since, used, due_at, amber_at, extended_until, stopped_at, deadline, fired, owed, ladder_from, next_at, rule_id, makeshift)!
insert into case_clock (
    case_id, area_path, category, severity, stage, state, started_at, since, used, due_at, amber_at, extended_until,
    stopped_at, deadline, fired, owed, ladder_from, next_at, rule_id, makeshift, stale
) values (
    :case_id, :area_path, :category, :severity, :stage, :state, :started_at, :since, :used, :due_at, :amber_at,
    :extended_until, :stopped_at, :deadline, :fired, :owed, :ladder_from, :next_at, :rule_id, :makeshift, false
);

-- name: update_clock(state, since, used, due_at, amber_at, extended_until, stopped_at, deadline, fired, owed, ladder_from, next_at, rule_id, makeshift, id)!
update case_clock set
    state = :state, since = :since, used = :used, due_at = :due_at, amber_at = :amber_at, extended_until = :extended_until,
    stopped_at = :stopped_at, deadline = :deadline, fired = :fired, owed = :owed, ladder_from = :ladder_from,
    next_at = :next_at, rule_id = :rule_id,
    makeshift = :makeshift, stale = false, stale_since = null
where id = :id;

-- name: due_clocks(now, count)
-- With the case, which every step locks before its clocks: so a step and a sweep never wait for each other.
-- What is stale is worked out again first: its time may be another.
select k.id, k.case_id, k.area_path, k.category, k.severity, k.stage, k.state, k.started_at, k.since, k.used, k.due_at,
    k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id, k.makeshift, c.department_id,
    c.worker_id
from case_clock k join grid_case c on c.id = k.case_id
where k.next_at <= :now::timestamptz and not k.stale
order by k.next_at, k.id
limit :count
for no key update of k, c skip locked;

-- name: stale_clocks(count)
select k.id, k.case_id, k.area_path, k.category, k.severity, k.stage, k.state, k.started_at, k.since, k.used, k.due_at,
    k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id, k.makeshift,
    k.stale_since
from case_clock k join grid_case c on c.id = k.case_id
where k.stale
order by k.next_at nulls last, k.id
limit :count
for no key update of k, c skip locked;

-- name: not_stale(id)!
update case_clock set stale = false, stale_since = null where id = :id;

-- name: mark_stale(at, since, stage, area_code)!
update case_clock set stale = true, stale_since = coalesce(stale_since, :at::timestamptz)
where state = 'running'
  and (:since::timestamptz is null or started_at >= :since::timestamptz)
  and (:stage::text is null or stage = :stage)
  and (:area_code::text is null or :area_code = any(string_to_array(area_path, '/')));

-- name: insert_firing(clock_id, deadline, number, kind, level, due_at, fired_at)!
insert into clock_firing (clock_id, deadline, number, kind, level, due_at, fired_at)
values (:clock_id, :deadline, :number, :kind, :level, :due_at, :fired_at)
on conflict do nothing;

-- name: clocks_of(case_id)
select id, case_id, area_path, category, severity, stage, state, started_at, since, used, due_at, amber_at, extended_until,
    stopped_at, deadline, fired, owed, ladder_from, next_at, rule_id, makeshift
from case_clock
where case_id = :case_id
order by id;

-- name: clocks_of_cases(case_ids)
-- Of each the one that runs, or the last that rests.
select distinct on (case_id) id, case_id, area_path, category, severity, stage, state, started_at, since, used, due_at,
    amber_at, extended_until, stopped_at, deadline, fired, makeshift
from case_clock
where case_id = any(:case_ids::bigint[]) and state <> 'ended'
order by case_id, state = 'running' desc, id desc;

-- name: firings_of(case_id)
select f.clock_id, f.deadline, f.number, f.kind, f.level, f.due_at, f.fired_at
from clock_firing f join case_clock k on k.id = f.clock_id
where k.case_id = :case_id
order by f.due_at, f.clock_id, f.deadline, f.number;

-- name: running_clocks(scope, department, case_ids, light, now, due_after, id_after, count)
-- `offset 0`: each is looked up among what the department was told of, which is never gathered.
select k.id, k.case_id, c.number, k.area_path, k.category, k.severity, k.stage, k.state, k.started_at, k.since, k.used,
    k.due_at, k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id, k.makeshift
from case_clock k join grid_case c on c.id = k.case_id
where k.state = 'running' and k.area_path ^@ :scope
  and (
    :department::bigint is null
    or exists (select from case_department told where told.case_id = k.case_id and told.department_id = :department offset 0)
  )
  and (:case_ids::bigint[] is null or k.case_id = any(:case_ids::bigint[]))
  and (
    :light::text is null
    or case :light::text
        when 'red' then k.due_at <= :now::timestamptz
        when 'amber' then k.due_at > :now::timestamptz and k.amber_at <= :now::timestamptz
        else k.due_at > :now::timestamptz and k.amber_at > :now::timestamptz
    end
  )
  and (
    :due_after::timestamptz is null
    or (k.due_at, k.id) > (:due_after::timestamptz, :id_after::bigint)
  )
order by k.due_at, k.id
limit :count;

-- name: clocks_touched(scope, stage, since, count)
-- What a change would have worked out again.
select k.id, k.case_id, c.number, c.simulated, k.area_path, k.category, k.severity, k.stage, k.state, k.started_at, k.since,
    k.used, k.due_at, k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from, k.next_at, k.rule_id,
    k.makeshift
from case_clock k join grid_case c on c.id = k.case_id
where k.state = 'running' and k.area_path ^@ :scope
  and (:stage::text is null or k.stage = :stage)
  and (:since::timestamptz is null or k.started_at >= :since::timestamptz)
order by k.due_at, k.id
limit :count;

-- name: wholes_touched(scope, since, count)
select k.case_id as id, k.case_id, c.number, c.simulated, k.area_path, k.category, k.severity, 'whole' as stage, k.state,
    k.started_at, k.since, k.used, k.due_at, k.amber_at, k.extended_until, k.stopped_at, k.deadline, k.fired, k.owed, k.ladder_from,
    k.next_at, k.rule_id, k.makeshift
from whole_clock k join grid_case c on c.id = k.case_id
where k.state = 'running' and k.area_path ^@ :scope
  and (:since::timestamptz is null or k.started_at >= :since::timestamptz)
order by k.due_at, k.case_id
limit :count;

-- name: insert_rule(area_code, category, severity, stage, amount, unit, amber_percent, effective_from, created_at, created_by)$
insert into deadline_rule (area_code, category, severity, stage, amount, unit, amber_percent, effective_from, created_at, created_by)
values (:area_code, :category, :severity, :stage, :amount, :unit, :amber_percent, :effective_from, :created_at, :created_by)
returning id;

-- name: put_calendar(area_code, timezone, effective_from, hours, makeup, holidays, created_at, created_by)!
insert into work_calendar (area_code, timezone, effective_from, hours, makeup, holidays, created_at, created_by)
values (:area_code, :timezone, :effective_from, :hours::text[], :makeup, :holidays, :created_at, :created_by)
on conflict (coalesce(area_code, ''), effective_from) do update set
    timezone = excluded.timezone, hours = excluded.hours, makeup = excluded.makeup, holidays = excluded.holidays,
    created_at = excluded.created_at, created_by = excluded.created_by;

-- name: put_special_day(area_code, day, worked, name, created_at, created_by)!
insert into special_day (area_code, day, worked, name, created_at, created_by)
values (:area_code, :day, :worked, :name, :created_at, :created_by)
on conflict (coalesce(area_code, ''), day) do update set
    worked = excluded.worked, name = excluded.name, created_at = excluded.created_at, created_by = excluded.created_by;

-- name: drop_rungs(area_code, severity)!
delete from escalation_rung where area_code is not distinct from :area_code and severity = :severity;

-- name: insert_rung(area_code, severity, level, amount, unit)!
insert into escalation_rung (area_code, severity, level, amount, unit) values (:area_code, :severity, :level, :amount, :unit);
