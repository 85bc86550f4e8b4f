-- Duty: shifts, patterns, swaps, hand-over; where workers are; sites, estates, buildings, teams.

-- name: lock_rota(account_id)$
-- Whoever plans for the same person takes turns: two shifts of his must not overlap.
select pg_advisory_xact_lock(5, hashint8(:account_id::bigint));

-- name: on_duty(codes, area_path, at, kinds)
-- By the codes above an area, so that shifts elsewhere are not looked at.
select s.id, s.account_id, p.display_name, p.role, s.kind, a.code, a.path, a.name, s.from_at,
    least(s.ended_at, s.until_at) as until
from duty_shift s
join account p on p.id = s.account_id and p.disabled_at is null
join area a on a.code = s.area_code and a.valid_from <= :at and (a.valid_to is null or a.valid_to > :at)
where s.area_code = any(:codes::text[]) and :area_path ^@ a.path
  and s.cancelled_at is null and s.from_at <= :at and s.until_at > :at and (s.ended_at is null or s.ended_at > :at)
  and (:kinds::text[] is null or s.kind = any(:kinds::text[]))
order by length(a.path) desc, s.from_at, s.id;

-- name: on_duty_within(area_path, at, kinds, most)
select s.id, s.account_id, p.display_name, p.role, s.kind, a.code, a.path, a.name, s.from_at,
    least(s.ended_at, s.until_at) as until
from duty_shift s
join account p on p.id = s.account_id and p.disabled_at is null
join area a on a.code = s.area_code and a.valid_from <= :at and (a.valid_to is null or a.valid_to > :at)
where a.path ^@ :area_path
  and s.cancelled_at is null and s.from_at <= :at and s.until_at > :at and (s.ended_at is null or s.ended_at > :at)
  and (:kinds::text[] is null or s.kind = any(:kinds::text[]))
order by a.path, s.kind, s.from_at, s.id
limit :most;

-- name: usable_account(account_id)^
select p.id, p.name, p.display_name, p.role, p.area_code, r.path as area_path
from account p
left join area r on r.code = p.area_code and r.valid_to is null
where p.id = :account_id and p.disabled_at is null;

-- name: usable_account_by_name(name)^
select p.id, p.name, p.display_name, p.role, p.area_code, r.path as area_path
from account p
left join area r on r.code = p.area_code and r.valid_to is null
where p.name = :name and p.disabled_at is null;

-- name: overlapping(account_id, area_code, kind, from_at, until_at, but)
-- Shifts of a person at the same place and as the same.
select id, from_at, least(ended_at, until_at) as until
from duty_shift
where account_id = :account_id and area_code = :area_code and kind = :kind and cancelled_at is null
  and from_at < :until_at and least(ended_at, until_at) > :from_at
  and id <> all(:but::bigint[])
order by from_at;

-- name: insert_shift(account_id, area_code, kind, from_at, until_at, made_by, now)$
insert into duty_shift (account_id, area_code, kind, from_at, until_at, made_by, made_at)
values (:account_id, :area_code, :kind, :from_at, :until_at, :made_by, :now)
returning id;

-- name: shift(shift_id)^
select s.*, p.display_name, a.path as area_path, a.name as area_name
from duty_shift s
join account p on p.id = s.account_id
left join area a on a.code = s.area_code and a.valid_to is null
where s.id = :shift_id;

-- name: shifts(scope, account_id, from_at, until_at, after_at, after_id, count)
select s.*, p.display_name, a.path as area_path, a.name as area_name
from duty_shift s
join account p on p.id = s.account_id
left join area a on a.code = s.area_code and a.valid_to is null
where s.until_at > :from_at and s.from_at < :until_at and s.cancelled_at is null
  and (s.account_id = :account_id or (:account_id::bigint is null and coalesce(a.path, '') ^@ :scope))
  and (s.from_at, s.id) > (coalesce(:after_at::timestamptz, '-infinity'), coalesce(:after_id::bigint, 0))
order by s.from_at, s.id
limit :count;

-- name: lock_shifts(shift_ids)
-- In the order of their ids, so that two who do this can't deadlock.
select id, account_id, area_code, kind, from_at, until_at, ended_at, cancelled_at
from duty_shift where id = any(:shift_ids::bigint[])
order by id
for update;

-- name: cancel_shift(now, shift_id)!
update duty_shift set cancelled_at = :now where id = :shift_id;

-- name: end_shift(now, shift_id)!
update duty_shift set ended_at = :now where id = :shift_id;

-- name: give_shifts(shift_ids, account_ids)!
-- Both in one statement: nobody ever sees one that has changed hands without the other.
update duty_shift s set account_id = g.account_id
from unnest(:shift_ids::bigint[], :account_ids::bigint[]) as g(shift_id, account_id)
where s.id = g.shift_id;

-- name: insert_pattern(account_id, area_code, kind, weekdays, every_weeks, begins_at, lasts_min, first_day, last_day, made_by, now)$
insert into duty_pattern (
    account_id, area_code, kind, weekdays, every_weeks, begins_at, lasts_min, first_day, last_day, made_by, made_at
)
values (
    :account_id, :area_code, :kind, :weekdays::smallint[], :every_weeks, :begins_at, :lasts_min, :first_day, :last_day,
    :made_by, :now
)
returning id;

-- name: pattern(pattern_id)^
select t.*, p.display_name, a.path as area_path
from duty_pattern t
join account p on p.id = t.account_id
left join area a on a.code = t.area_code and a.valid_to is null
where t.id = :pattern_id;

-- name: patterns(scope)
select t.*, p.display_name, a.path as area_path
from duty_pattern t
join account p on p.id = t.account_id
left join area a on a.code = t.area_code and a.valid_to is null
where t.ended_at is null and coalesce(a.path, '') ^@ :scope
order by t.id
limit 5000;

-- name: end_pattern(now, pattern_id)!
update duty_pattern set ended_at = :now where id = :pattern_id and ended_at is null;

-- name: coming_shifts_of_pattern(pattern_id, now)
select id from duty_shift
where pattern_id = :pattern_id and from_at > :now and cancelled_at is null
order by id;

-- name: patterns_to_expand(until_day, count)
-- Those of people who work here; two sweeps at once don't wait for each other.
select t.id, t.account_id, t.area_code, t.kind, t.weekdays, t.every_weeks, t.begins_at, t.lasts_min, t.first_day,
    t.last_day, t.expanded_until, t.made_at
from duty_pattern t
join account p on p.id = t.account_id and p.disabled_at is null
where t.ended_at is null and coalesce(t.expanded_until, '-infinity') < :until_day
  and (t.last_day is null or t.expanded_until is null or t.expanded_until < t.last_day)
order by t.id
limit :count
for update of t skip locked;

-- name: insert_pattern_shifts(account_id, area_code, kind, pattern_id, days, from_times, until_times, now)!
-- A day that was made before is left as it is, also when it was cancelled or swapped since.
insert into duty_shift (account_id, area_code, kind, from_at, until_at, pattern_id, pattern_day, made_at)
select :account_id, :area_code, :kind, d.from_at, d.until_at, :pattern_id, d.day, :now
from unnest(:days::date[], :from_times::timestamptz[], :until_times::timestamptz[]) as d(day, from_at, until_at)
where not exists (
    select from duty_shift o
    where o.account_id = :account_id and o.area_code = :area_code and o.kind = :kind and o.cancelled_at is null
      and o.pattern_id is distinct from :pattern_id::bigint
      and o.from_at < d.until_at and least(o.ended_at, o.until_at) > d.from_at
)
on conflict (pattern_id, pattern_day) do nothing;

-- name: note_expanded(until_day, pattern_ids)!
update duty_pattern set expanded_until = :until_day where id = any(:pattern_ids::bigint[]);

-- name: insert_cover(area_code, level, kind, hours, made_by, now)$
insert into duty_cover (area_code, level, kind, hours, made_by, made_at)
values (:area_code, :level, :kind, :hours, :made_by, :now)
on conflict (area_code, level, kind) where ended_at is null do update set hours = excluded.hours
returning id;

-- name: covers()
select c.id, c.area_code, c.level, c.kind, c.hours, a.path as area_path
from duty_cover c
left join area a on a.code = c.area_code and a.valid_to is null
where c.ended_at is null
order by c.id
limit 1000;

-- name: end_cover(now, cover_id)!
update duty_cover set ended_at = :now where id = :cover_id and ended_at is null;

-- name: covered_areas(scope)
-- Each area in which somebody has to be on duty.
select c.kind, c.hours, a.code, a.path, a.name, a.level
from duty_cover c
join area root on root.code = c.area_code and root.valid_to is null
join area a on a.level = c.level and a.valid_to is null and a.path ^@ root.path
where c.ended_at is null and a.path ^@ :scope
order by a.path, c.kind;

-- name: shifts_between(from_at, until_at)
-- Of people who are there.
select s.area_code, s.kind, s.from_at, least(s.ended_at, s.until_at) as until
from duty_shift s
join account p on p.id = s.account_id and p.disabled_at is null
where s.until_at > :from_at and s.from_at < :until_at and s.cancelled_at is null;

-- name: insert_swap(shift_id, return_shift_id, asked_by, asked_of, note, now)$
insert into duty_swap (shift_id, return_shift_id, asked_by, asked_of, status, note, asked_at)
values (:shift_id, :return_shift_id, :asked_by, :asked_of, 'asked', :note, :now)
returning id;

-- name: open_swaps_of_shifts(shift_ids)
select id from duty_swap
where status in ('asked', 'accepted')
  and (shift_id = any(:shift_ids::bigint[]) or return_shift_id = any(:shift_ids::bigint[]))
order by id
for update;

-- name: swap(swap_id)^
select w.*, x.display_name as asked_by_name, y.display_name as asked_of_name
from duty_swap w
join account x on x.id = w.asked_by
join account y on y.id = w.asked_of
where w.id = :swap_id;

-- name: lock_swap(swap_id)^
select id, status from duty_swap where id = :swap_id for update;

-- name: swaps(scope, account_id, decides, before, count)
select w.*, x.display_name as asked_by_name, y.display_name as asked_of_name
from duty_swap w
join account x on x.id = w.asked_by
join account y on y.id = w.asked_of
join duty_shift s on s.id = w.shift_id
left join area a on a.code = s.area_code and a.valid_to is null
where (w.asked_by = :account_id or w.asked_of = :account_id or (:decides and coalesce(a.path, '') ^@ :scope))
  and (:before::bigint is null or w.id < :before)
order by w.id desc
limit :count;

-- name: answer_swap(status, now, swap_id)!
update duty_swap set status = :status, answered_at = :now where id = :swap_id;

-- name: decide_swap(status, decided_by, now, swap_id)!
update duty_swap set status = :status, decided_by = :decided_by, decided_at = :now where id = :swap_id;

-- name: swaps_begun(now, count)
-- Nobody has decided, and one of the shifts has begun.
select w.id, w.shift_id, w.return_shift_id
from duty_swap w
join duty_shift s on s.id = w.shift_id
left join duty_shift r on r.id = w.return_shift_id
where w.status in ('asked', 'accepted') and least(s.from_at, r.from_at) <= :now
order by w.id
limit :count;

-- name: insert_handover(shift_id, handed_by, handed_to, note, now)$
insert into duty_handover (shift_id, handed_by, handed_to, note, handed_at)
values (:shift_id, :handed_by, :handed_to, :note, :now)
on conflict (shift_id) where taken_at is null do nothing
returning id;

-- name: handover(handover_id)^
select h.*, x.display_name as handed_by_name, y.display_name as handed_to_name
from duty_handover h
join account x on x.id = h.handed_by
join account y on y.id = h.handed_to
where h.id = :handover_id;

-- name: lock_handover(handover_id)^
select id, taken_at from duty_handover where id = :handover_id for update;

-- name: take_handover(now, next_shift_id, handover_id)!
update duty_handover set taken_at = :now, next_shift_id = :next_shift_id where id = :handover_id;

-- name: handovers(scope, account_id, before, count)
select h.*, x.display_name as handed_by_name, y.display_name as handed_to_name
from duty_handover h
join account x on x.id = h.handed_by
join account y on y.id = h.handed_to
join duty_shift s on s.id = h.shift_id
left join area a on a.code = s.area_code and a.valid_to is null
where (h.handed_by = :account_id or h.handed_to = :account_id or coalesce(a.path, '') ^@ :scope)
  and (:before::bigint is null or h.id < :before)
order by h.id desc
limit :count;

-- name: shift_for_position(account_id, at)^
-- The one that ends last; it does not end while a position is noted.
select id, from_at, until_at
from duty_shift
where account_id = :account_id and cancelled_at is null and from_at <= :at and until_at > :at
  and (ended_at is null or ended_at > :at)
order by until_at desc, id
limit 1
for share;

-- name: note_position(account_id, shift_id, longitude, latitude, accuracy_m, measured_at, now)!
insert into worker_position (account_id, shift_id, longitude, latitude, accuracy_m, measured_at, received_at)
values (:account_id, :shift_id, :longitude, :latitude, :accuracy_m, :measured_at, :now)
on conflict (account_id) do update
    set shift_id = excluded.shift_id, longitude = excluded.longitude, latitude = excluded.latitude,
        accuracy_m = excluded.accuracy_m, measured_at = excluded.measured_at, received_at = excluded.received_at
    where worker_position.measured_at <= excluded.measured_at or worker_position.shift_id <> excluded.shift_id;

-- name: forget_position(account_id)!
delete from worker_position where account_id = :account_id;

-- name: forget_positions(now)!
delete from worker_position w
where not exists (
    select from duty_shift s
    where s.id = w.shift_id and s.account_id = w.account_id and s.cancelled_at is null
      and s.until_at > :now and (s.ended_at is null or s.ended_at > :now)
);

-- name: positions(scope, at)
-- Of those who are on duty in an area, or for one in which it lies.
select w.account_id, p.display_name, p.role, s.kind, a.code as area_code, a.name as area_name, w.longitude, w.latitude,
    w.accuracy_m, w.measured_at
from worker_position w
join duty_shift s on s.id = w.shift_id and s.account_id = w.account_id
join account p on p.id = w.account_id and p.disabled_at is null
join area a on a.code = s.area_code and a.valid_to is null
where s.cancelled_at is null and s.from_at <= :at and s.until_at > :at and (s.ended_at is null or s.ended_at > :at)
  and a.path ^@ :scope;

-- name: sites(scope, kinds)
select s.id, s.code, s.kind, s.name, s.area_code, a.name as area_name, s.longitude, s.latitude, s.address, s.hours
from site s
join area a on a.code = s.area_code and a.valid_to is null
where s.closed_at is null and a.path ^@ :scope and (:kinds::text[] is null or s.kind = any(:kinds::text[]))
order by s.code
limit 20000;

-- name: site(code)^
select id, kind, name, area_code, longitude, latitude, address, hours from site where code = :code and closed_at is null;

-- name: insert_site(code, kind, name, area_code, longitude, latitude, address, hours, now)!
insert into site (code, kind, name, area_code, longitude, latitude, address, hours, created_at)
values (:code, :kind, :name, :area_code, :longitude, :latitude, :address, :hours, :now);

-- name: close_site(now, id)!
update site set closed_at = :now where id = :id;

-- name: update_site(kind, name, area_code, longitude, latitude, address, hours, id)!
update site
set kind = :kind, name = :name, area_code = :area_code, longitude = :longitude, latitude = :latitude,
    address = :address, hours = :hours
where id = :id;

-- name: estates(scope)
select e.id, e.code, e.name, e.area_code, a.name as area_name, d.code as property, d.name as property_name, e.longitude,
    e.latitude, e.address,
    (select count(*) from building b where b.estate_id = e.id and b.closed_at is null) as buildings
from estate e
join area a on a.code = e.area_code and a.valid_to is null
left join department d on d.id = e.property_id
where e.closed_at is null and a.path ^@ :scope
order by e.code
limit 20000;

-- name: estate(code)^
select id, name, area_code, property_id, longitude, latitude, address from estate where code = :code and closed_at is null;

-- name: property_company(code)$
select id from department where code = :code and kind = 'property' and closed_at is null;

-- name: insert_estate(code, name, area_code, property_id, longitude, latitude, address, now)!
insert into estate (code, name, area_code, property_id, longitude, latitude, address, created_at)
values (:code, :name, :area_code, :property_id, :longitude, :latitude, :address, :now);

-- name: update_estate(name, area_code, property_id, longitude, latitude, address, id)!
update estate
set name = :name, area_code = :area_code, property_id = :property_id, longitude = :longitude, latitude = :latitude,
    address = :address
where id = :id;

-- name: close_estate(now, id)!
with gone as (update estate set closed_at = :now where id = :id returning id)
update building set closed_at = :now where estate_id in (select id from gone) and closed_at is null;

-- name: buildings(scope, estate)
select e.code as estate, b.id, b.code, b.name, b.area_code, a.name as area_name, b.floors, b.households, b.longitude,
    b.latitude
from building b
join estate e on e.id = b.estate_id
join area a on a.code = b.area_code and a.valid_to is null
where b.closed_at is null and a.path ^@ :scope and (:estate::text is null or e.code = :estate)
order by e.code, b.code
limit 100000;

-- name: building(estate_id, code)^
select id, name, area_code, floors, households, longitude, latitude
from building where estate_id = :estate_id and code = :code and closed_at is null;

-- name: insert_building(estate_id, code, name, area_code, floors, households, longitude, latitude, now)!
insert into building (estate_id, code, name, area_code, floors, households, longitude, latitude, created_at)
values (:estate_id, :code, :name, :area_code, :floors, :households, :longitude, :latitude, :now);

-- name: update_building(name, area_code, floors, households, longitude, latitude, id)!
update building
set name = :name, area_code = :area_code, floors = :floors, households = :households, longitude = :longitude,
    latitude = :latitude
where id = :id;

-- name: close_building(now, id)!
update building set closed_at = :now where id = :id;

-- name: members(scope, at, with_above)
select m.id, m.area_code, a.name as area_name, m.kind, m.name, m.phone, m.account_id, p.name as account, m.since
from team_member m
join area a on a.code = m.area_code and a.valid_to is null
left join account p on p.id = m.account_id
where (a.path ^@ :scope or (:with_above and :scope ^@ a.path)) and m.since <= :at and (m.until is null or m.until > :at)
order by m.area_code, m.kind, m.name, m.id
limit 20000;

-- name: member(area_code, kind, name, phone)^
select id, account_id from team_member
where area_code = :area_code and kind = :kind and name = :name and coalesce(phone, '') = coalesce(:phone, '')
  and until is null;

-- name: lead_of(area_code)^
select id, name from team_member where area_code = :area_code and kind = 'lead' and until is null;

-- name: insert_member(area_code, kind, name, phone, account_id, now)$
insert into team_member (area_code, kind, name, phone, account_id, since)
values (:area_code, :kind, :name, :phone, :account_id, :now)
returning id;

-- name: set_member_account(account_id, id)!
update team_member set account_id = :account_id where id = :id;

-- name: member_leaves(now, id)!
update team_member set until = greatest(:now, since) where id = :id and until is null;

-- name: team_gaps(scope, level, most)
-- Areas of a level without a lead, or without one of the fixed kinds; who serves an area serves all that lies in it.
select a.code, a.name, array_agg(k.kind order by k.kind) as missing
from area a
cross join unnest(array['lead', 'police', 'community_worker', 'urban_management', 'market_supervision', 'sanitation']) as k(kind)
where a.valid_to is null and a.level = :level and a.path ^@ :scope
  and not exists (
      select from team_member m
      where m.area_code = any(string_to_array(rtrim(a.path, '/'), '/')) and m.kind = k.kind and m.until is null
  )
group by a.code, a.name
order by a.code
limit :most;

-- name: dangling()
-- What still names an area that is no more.
select what, name, code
from (
    select 'account' as what, name, area_code as code from account where disabled_at is null and area_code is not null
    union all
    select 'department', code, area_code from department where closed_at is null and area_code is not null
    union all
    select 'site', code, area_code from site where closed_at is null
    union all
    select 'estate', code, area_code from estate where closed_at is null
    union all
    select 'building', code, area_code from building where closed_at is null
    union all
    select 'team', area_code, area_code from team_member where until is null group by area_code
    union all
    select 'duty_pattern', id::text, area_code from duty_pattern where ended_at is null
    union all
    select 'duty_cover', id::text, area_code from duty_cover where ended_at is null
) as named
where not exists (select from area a where a.code = named.code and a.valid_to is null)
order by what, name
limit 1000;

-- name: shifts_to_export(scope, from_at)
select p.name as account, s.area_code, s.kind, s.from_at, s.until_at
from duty_shift s
join account p on p.id = s.account_id
join area a on a.code = s.area_code and a.valid_to is null
where a.path ^@ :scope and s.cancelled_at is null and s.ended_at is null and s.pattern_id is null and s.until_at > :from_at
order by s.from_at, s.id
limit 100000;

-- name: patterns_to_export(scope)
select p.name as account, t.area_code, t.kind, t.weekdays, t.begins_at, t.lasts_min, t.first_day, t.last_day,
    t.every_weeks
from duty_pattern t
join account p on p.id = t.account_id
join area a on a.code = t.area_code and a.valid_to is null
where t.ended_at is null and a.path ^@ :scope
order by t.id
limit 100000;

-- name: same_pattern(account_id, area_code, kind, weekdays, begins_at, lasts_min, first_day, every_weeks)$
select id from duty_pattern
where account_id = :account_id and area_code = :area_code and kind = :kind and weekdays = :weekdays::smallint[]
  and begins_at = :begins_at and lasts_min = :lasts_min and first_day = :first_day and every_weeks = :every_weeks
  and ended_at is null
limit 1;

-- name: same_shift(account_id, area_code, kind, from_at, until_at)$
select id from duty_shift
where account_id = :account_id and area_code = :area_code and kind = :kind and from_at = :from_at
  and until_at = :until_at and cancelled_at is null
limit 1;

-- name: place_of_case(case_id)^
-- Where it is, else the outline of its grid.
select c.longitude, c.latitude, a.boundary
from grid_case c
left join area a on a.path = c.area_path and a.valid_to is null
where c.id = :case_id;

-- name: insert_sample_account(name, display_name, role, area_code, password_hash, now)!
insert into account (name, display_name, role, area_code, password_hash, created_at, password_changed_at)
values (:name, :display_name, :role, :area_code, :password_hash, :now, :now)
on conflict (name) do nothing;
