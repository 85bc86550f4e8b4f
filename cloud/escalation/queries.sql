-- Who answers for a level, whistles and who was called, warnings.

-- name: levels_of(codes, at)
-- The areas of a path with their levels, from the top down, as they were when the case was opened.
select a.code, a.level, a.path, l.position
from area a join area_level l on l.level = a.level
where a.code = any(:codes::text[])
  and a.id = (
    select b.id from area b
    where b.code = a.code and (b.valid_from <= :at::timestamptz or b.valid_to is null)
    order by b.valid_from desc
    limit 1
  )
order by l.position;

-- name: lowest_level()$
select level from area_level order by position desc limit 1;

-- name: accounts_of_area(area_code, role)
select id, display_name from account
where area_code = :area_code and role = :role and disabled_at is null
order by id
limit 5;

-- name: accounts_along(codes, role)
-- Whose area is the nearest above: a grid lead may answer for a whole community.
select a.id, a.display_name
from account a join unnest(:codes::text[]) with ordinality as p(code, depth) on p.code = a.area_code
where a.role = :role and a.disabled_at is null
order by p.depth desc, a.id
limit 5;

-- name: case_of(case_id)^
select id, area_path, category, severity::text as severity, status, department_id, worker_id, opened_at, drill
from grid_case
where id = :case_id
for no key update;

-- name: open_whistle(case_id, level)^
select id from whistle where case_id = :case_id and level = :level and ended_at is null;

-- name: whistle_by_id(whistle_id)^
select w.id, w.case_id, w.level, w.area_path, w.blown_by, w.ended_at
from whistle w
where w.id = :whistle_id;

-- name: insert_whistle(case_id, clock_id, level, area_path, blown_at, blown_by, note)$
insert into whistle (case_id, clock_id, level, area_path, blown_at, blown_by, note)
values (:case_id, :clock_id, :level, :area_path, :blown_at, :blown_by, :note)
on conflict do nothing
returning id;

-- name: insert_call(whistle_id, department_id, account_id, called_at, due_at)$
insert into whistle_call (whistle_id, department_id, account_id, called_at, due_at)
values (:whistle_id, :department_id, :account_id, :called_at, :due_at)
on conflict do nothing
returning id;

-- name: waiting_call(whistle_id, account_id)^
select due_at from whistle_call where whistle_id = :whistle_id and account_id = :account_id and arrived_at is null;

-- name: who_see(account_ids, area_path)
-- Of some people those in whose scope a place lies as areas are drawn now.
select a.id
from account a
left join area r on r.code = a.area_code and r.valid_to is null
where a.id = any(:account_ids::bigint[]) and (a.area_code is null or :area_path ^@ r.path);

-- name: calls_of(whistle_ids)
select k.id, k.whistle_id, k.department_id, d.name as department, k.account_id, a.display_name as person, k.called_at, k.due_at,
    k.arrived_at, b.display_name as arrived_by, k.arrival_note, k.overdue_at
from whistle_call k
left join department d on d.id = k.department_id
left join account a on a.id = k.account_id
left join account b on b.id = k.arrived_by
where k.whistle_id = any(:whistle_ids::bigint[])
order by k.id;

-- name: whistles_of(case_id)
select w.id, w.case_id, w.level, w.area_path, w.blown_at, a.display_name as blown_by, w.note, w.ended_at,
    e.display_name as ended_by, w.end_note
from whistle w
left join account a on a.id = w.blown_by
left join account e on e.id = w.ended_by
where w.case_id = :case_id
order by w.id;

-- name: call_for_update(call_id, whistle_id)^
select k.id, k.department_id, k.account_id, k.arrived_at, w.case_id, w.level, w.area_path, w.ended_at, w.blown_by
from whistle_call k join whistle w on w.id = k.whistle_id
where k.id = :call_id and w.id = :whistle_id
for update of k;

-- name: arrive(at, account_id, note, call_id)!
update whistle_call set arrived_at = :at, arrived_by = :account_id, arrival_note = :note
where id = :call_id and arrived_at is null;

-- name: end_whistle(at, account_id, note, whistle_id)!
update whistle set ended_at = :at, ended_by = :account_id, end_note = :note where id = :whistle_id and ended_at is null;

-- name: overdue_calls(now, statuses, count)
select k.id, k.whistle_id, k.department_id, k.account_id, k.due_at, w.level, w.case_id, w.clock_id
from whistle_call k
join whistle w on w.id = k.whistle_id
join grid_case c on c.id = w.case_id
left join case_clock t on t.id = w.clock_id
where k.due_at <= :now::timestamptz and k.arrived_at is null and k.overdue_at is null and w.ended_at is null
  and c.status = any(:statuses::text[])
  and (t.id is null or (t.state = 'running' and t.due_at <= :now::timestamptz))
order by k.due_at, k.id
limit :count
for no key update of k, c skip locked;

-- name: mark_overdue(at, call_id)!
update whistle_call set overdue_at = :at where id = :call_id and overdue_at is null;

-- name: whistles_over(now, statuses, count)
-- What nobody has to come for any more: the case has moved on, got more time, or is over.
select w.id, w.case_id, w.level
from whistle w
join grid_case c on c.id = w.case_id
left join case_clock k on k.id = w.clock_id
where w.ended_at is null
  and (not c.status = any(:statuses::text[]) or k.state <> 'running' or k.due_at > :now::timestamptz)
order by w.id
limit :count
for no key update of w, c skip locked;

-- name: clockless_cases(statuses, after, count)
-- Running cases without a clock that runs: those from before there were clocks.
select c.id, c.area_path, c.category, c.severity::text as severity, c.status, c.dispatched_at, c.suspended_until
from grid_case c
where c.status = any(:statuses::text[]) and c.id > :after and (
    not exists (select from case_clock k where k.case_id = c.id and k.state = 'running')
    or (c.status <> 'suspended' and not exists (select from whole_clock w where w.case_id = c.id))
  )
order by c.id
limit :count
for no key update skip locked;

-- name: positions()
select level, position from area_level;

-- name: tell_department(department_id, case_id, told_at)!
-- Whom a whistle calls may read the case.
insert into case_department (department_id, case_id, told_at) values (:department_id, :case_id, :told_at)
on conflict do nothing;

-- name: unmanned_areas(roles, now, after, count)
-- Lowest areas in which nobody works, neither by his post nor by a shift that runs or comes.
select g.code, g.path
from area g
where g.valid_to is null and g.level = (select level from area_level order by position desc limit 1)
  and g.path > :after
  and not exists (
    select from account a
    where a.area_code = any(string_to_array(g.path, '/')) and a.role = any(:roles::text[]) and a.disabled_at is null
  )
  and not exists (
    select from duty_shift s
    where s.area_code = any(string_to_array(g.path, '/')) and s.cancelled_at is null and s.until_at > :now::timestamptz
  )
order by g.path
limit :count;

-- name: postless_areas(role, after, count)
-- Areas above the lowest level in which nobody has the post of who answers for them.
select g.code, g.path
from area g
where g.valid_to is null and g.level <> (select level from area_level order by position desc limit 1) and g.path > :after
  and not exists (select from account a where a.area_code = g.code and a.role = :role and a.disabled_at is null)
order by g.path
limit :count;

-- name: shifts_of(area_code, kinds, now, until)
select s.from_at, least(s.ended_at, s.until_at) as until
from duty_shift s
join account a on a.id = s.account_id and a.disabled_at is null
where s.area_code = :area_code and s.kind = any(:kinds::text[]) and s.cancelled_at is null
  and s.from_at < :until::timestamptz and coalesce(s.ended_at, s.until_at) > :now::timestamptz
order by s.from_at, s.id;

-- name: unreachable(roles, now, until, after, count)
-- Who holds a post or is on duty soon, and has no channel but the page that nobody may be looking at.
select a.id, a.area_code, p.path
from account a
left join area p on p.code = a.area_code and p.valid_to is null
where a.disabled_at is null and a.id > :after
  and (
    a.role = any(:roles::text[])
    or exists (
      select from duty_shift s
      where s.account_id = a.id and s.cancelled_at is null and s.from_at < :until::timestamptz and s.until_at > :now::timestamptz
    )
  )
  and not exists (select from account_reachable r where r.account_id = a.id)
order by a.id
limit :count;

-- name: unconfirmed_records(now, since)
-- Changes of shift that one of the two has not confirmed in time; of each person in an area the oldest.
select distinct on (giver_id, area_path) giver_id, area_code, area_path, due_at
from shift_record
where taken_at is null and due_at <= :now and due_at > :since
order by giver_id, area_path, due_at
limit 500;

-- name: see_warning(from_at, until, now, kind, area_path, account_id)!
update duty_warning set seen_at = :now, from_at = least(from_at, :from_at), until = :until
where kind = :kind and area_path = :area_path and coalesce(account_id, 0) = coalesce(:account_id::bigint, 0) and over_at is null;

-- name: insert_warning(kind, area_code, area_path, account_id, from_at, until, told_account_id, now)!
insert into duty_warning (kind, area_code, area_path, account_id, from_at, until, told_account_id, raised_at, seen_at)
values (:kind, :area_code, :area_path, :account_id, :from_at, :until, :told_account_id, :now, :now)
on conflict do nothing;

-- name: end_warnings(now)!
update duty_warning set over_at = :now where over_at is null and seen_at <> :now::timestamptz;

-- name: count_warnings()
select kind, count(*) from duty_warning where over_at is null group by kind;

-- name: warnings(scope, count)
select w.id, w.kind, w.area_code, w.area_path, p.name as area_name, w.account_id, a.display_name as account, w.from_at, w.until,
    t.display_name as told, w.raised_at
from duty_warning w
left join account a on a.id = w.account_id
left join account t on t.id = w.told_account_id
left join area p on p.code = w.area_code and p.valid_to is null
where w.over_at is null and w.area_path ^@ :scope
order by w.from_at, w.id
limit :count;

-- name: administrator(role, but)$
select id from account
where role = :role and disabled_at is null and id <> coalesce(:but::bigint, 0)
order by area_code nulls first, id
limit 1;

-- name: case_in_scope(case_id, scope, department)^
select id, area_path, category, severity::text as severity, status, department_id, worker_id, opened_at, drill
from grid_case
where id = :case_id and area_path ^@ :scope
  and (
    :department::bigint is null
    or exists (select from case_department told where told.case_id = grid_case.id and told.department_id = :department)
  );
