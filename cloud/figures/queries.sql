-- Figures: facts of a day, the roll-up, what it answers, weights.

-- name: take_turns()$
-- One at a time: true for who may count now.
select pg_try_advisory_xact_lock(35, 0);

-- name: wait_for_turn()$
select pg_advisory_xact_lock(35, 0);

-- name: due(count)
-- The newest first: what happens now is not to wait for what is old.
select id from figure_due order by id desc limit :count;

-- name: noted(ids)
select d.id, d.case_id, d.at, c.area_path
from figure_due d left join grid_case c on c.id = d.case_id
where d.id = any(:ids::bigint[]);

-- name: forget_due(ids)!
delete from figure_due where id = any(:ids::bigint[]);

-- name: set_aside(ids, error, passes)!
-- What may pass by itself (`passes`) is tried again, once.
with gone as (delete from figure_due where id = any(:ids::bigint[]) returning id, case_id, at, noted_at, tried)
insert into figure_aside (id, case_id, at, noted_at, error, again)
select id, case_id, at, noted_at, :error, :passes and not tried from gone;

-- name: take_back(aside_before)$
with gone as (delete from figure_aside where again and aside_at < :aside_before returning case_id, at, noted_at),
back as (insert into figure_due (case_id, at, noted_at, tried) select case_id, at, noted_at, true from gone returning id)
select count(*) from back;

-- name: to_fill()^
-- A row while old days are still to be counted.
select next_day from figure_fill where id = 1;

-- name: filled(next_day)!
update figure_fill set next_day = :next_day where id = 1;

-- name: all_filled()!
delete from figure_fill;

-- name: waiting(most)$
select count(*) from (select from figure_due limit :most) waits;

-- name: moments(case_ids, telling)
-- All moments at which something happened to these cases that figures count.
select id as case_id, area_path, opened_at as at from grid_case where id = any(:case_ids::bigint[])
union
select e.case_id, c.area_path, e.at
from case_event e join grid_case c on c.id = e.case_id
where e.case_id = any(:case_ids::bigint[]) and e.action = any(:telling::text[])
union
select k.case_id, c.area_path, k.due_at
from case_clock k join grid_case c on c.id = k.case_id
where k.case_id = any(:case_ids::bigint[]) and k.stage = 'verifying'
union
select k.case_id, c.area_path, k.due_at
from whole_clock k join grid_case c on c.id = k.case_id
where k.case_id = any(:case_ids::bigint[])
union
select k.case_id, c.area_path, k.due_at
from whole_stop k join grid_case c on c.id = k.case_id
where k.case_id = any(:case_ids::bigint[])
union
select v.case_id, c.area_path, v.judged_at
from incident_verdict v join grid_case c on c.id = v.case_id
where v.case_id = any(:case_ids::bigint[]);

-- name: keep_views(from_at, to_at, units)!
-- Whether a camera in order looked at what people reported: the last word of it and of its node before was that it is there, and it
-- took part in no drill. What is known stays once it is forgotten how cameras came and went.
insert into report_view (case_id, in_view)
select c.id, exists (
    select from device d
    join node n on n.id = d.node_id
    cross join lateral (
        select p.presence from presence_change p
        where p.device_id = d.id and p.at <= c.opened_at order by p.at desc, p.id desc limit 1
    ) own
    cross join lateral (
        select p.presence from presence_change p
        where p.node_id = d.node_id and p.device_id is null and p.at <= c.opened_at order by p.at desc, p.id desc limit 1
    ) its_node
    where d.grid_code = c.area_code and d.kind = 'camera' and own.presence = 'online' and its_node.presence = 'online'
      and not exists (
        select from drill_source s
        join drill r on r.id = s.drill_id
        where s.node = n.name and s.rule is null and (s.device is null or s.device = d.name)
          and r.started_at <= c.opened_at and coalesce(r.ended_at, r.planned_end_at) > c.opened_at
          and not exists (
            select from drill_leaver l
            where l.drill_id = r.id and l.node = n.name and l.device = d.name and l.left_at <= c.opened_at
          )
      )
)
from grid_case c
where c.opened_at >= :from_at and c.opened_at < :to_at and c.origin in ('patrol', 'hotline', 'platform')
  and exists (select from unnest(:units::text[]) as unit (path) where c.area_path ^@ unit.path)
  and (
    c.opened_at >= coalesce((select since from presence_known), '-infinity')
    or not exists (select from report_view v where v.case_id = c.id)
  )
on conflict (case_id) do update set in_view = excluded.in_view where report_view.in_view <> excluded.in_view;

-- name: facts(from_at, to_at, units, telling, bounds, missed_within_s, complaint_rating)
-- What happened to cases below `units` from one moment to another, counted by where and what they are. Times go into the bucket of
-- their seconds: they run from the last beginning before the event, in the order of the history.
with told as materialized (
    select e.id, e.case_id, e.at, e.action, e.from_status, e.rating, c.opened_at
    from case_event e join grid_case c on c.id = e.case_id
    where e.at >= :from_at and e.at < :to_at and e.action = any(:telling::text[])
      and not c.drill and c.status not in ('voided', 'merged')
      and exists (select from unnest(:units::text[]) as unit (path) where c.area_path ^@ unit.path)
), report as materialized (
    -- What people found where a camera was in order, see `keep_views`.
    select c.id, c.opened_at, c.area_path, c.category, c.kind, c.simulated
    from grid_case c
    join report_view v on v.case_id = c.id and v.in_view
    where c.opened_at >= :from_at and c.opened_at < :to_at and c.origin in ('patrol', 'hotline', 'platform')
      and not c.drill and c.status not in ('voided', 'merged')
      and exists (select from unnest(:units::text[]) as unit (path) where c.area_path ^@ unit.path)
), fact (case_id, fact, took_s) as (
    select id, unnest(case when severity = 'critical' then array['opened', 'serious'] else array['opened'] end), null::float8
    from grid_case where opened_at >= :from_at and opened_at < :to_at
    union all
    select id, 'complaints', null from grid_case
    where opened_at >= :from_at and opened_at < :to_at and origin = 'hotline'
    union all
    select case_id, 'complaints', null from told where action in ('rate', 'request_rated') and rating <= :complaint_rating
    union all
    select case_id, 'overdue', null from told where action = 'deadline_red'
    union all
    select t.case_id, 'verified', extract(epoch from t.at - coalesce(began.at, t.opened_at))::float8
    from told t
    left join lateral (
        select e.at from case_event e
        where e.case_id = t.case_id and e.id < t.id and e.action = 'reopen' and e.to_status = 'reported'
        order by e.id desc limit 1
    ) began on true
    where t.action in ('confirm', 'dismiss')
    union all
    select t.case_id, 'dispatched', extract(epoch from t.at - coalesce(began.at, t.opened_at))::float8
    from told t
    left join lateral (
        select e.at from case_event e
        where e.case_id = t.case_id and e.id < t.id and e.to_status = 'filed' and e.from_status is distinct from 'filed'
        order by e.id desc limit 1
    ) began on true
    where t.action = 'claim' or (t.action = 'dispatch' and t.from_status = 'filed')
    union all
    select t.case_id, 'closed', extract(epoch from t.at - coalesce(began.at, t.opened_at))::float8
    from told t
    left join lateral (
        select e.at from case_event e
        where e.case_id = t.case_id and e.id < t.id and e.action in ('reopen', 'reopened', 'came_again')
          and e.from_status in ('closed', 'rejected', 'voided')
        order by e.id desc limit 1
    ) began on true
    where t.action = 'close'
    union all
    select t.case_id, 'self_handled', null
    from told t
    cross join lateral (
        select e.action from case_event e
        where e.case_id = t.case_id and e.id < t.id
          and (e.action in ('dispatch', 'claim', 'take') or (e.action = 'resolve' and e.from_status = 'filed'))
        order by e.id desc limit 1
    ) last
    where t.action = 'close' and last.action in ('take', 'resolve')
    union all
    select case_id, 'reworked', null from told where action = 'rework'
    union all
    -- On the day of the dispatch that was taken back, and of the closing that was undone: what is a part of a day's is of that day.
    select t.case_id, 'returned', null
    from told t
    cross join lateral (
        select e.action from case_event e
        where e.case_id = t.case_id and e.id > t.id
          and (e.action in ('claim', 'allow_return') or (e.action = 'dispatch' and e.from_status = 'filed'))
        order by e.id limit 1
    ) next
    where (t.action = 'claim' or (t.action = 'dispatch' and t.from_status = 'filed')) and next.action = 'allow_return'
    union all
    select t.case_id, 'reopened', null
    from told t
    cross join lateral (
        select e.action from case_event e
        where e.case_id = t.case_id and e.id > t.id
          and (e.action = 'close' or (e.action in ('reopen', 'reopened', 'came_again') and e.from_status = 'closed'))
        order by e.id limit 1
    ) next
    where t.action = 'close' and next.action <> 'close'
    union all
    select case_id, unnest(case when verdict = 'false_alarm' then array['judged', 'false_alarms'] else array['judged'] end), null
    from (
        select distinct v.case_id, v.event_id, v.verdict
        from incident_verdict v
        where v.judged_at >= :from_at and v.judged_at < :to_at and v.verdict in ('true', 'duplicate', 'false_alarm')
    ) judgement
    union all
    -- Past its time and noticed, or ended by what it waits for; one that ended otherwise in time was nobody's to keep.
    select k.case_id,
        unnest(case when k.state = 'running' or k.stopped_at > k.due_at then array['verify_due'] else array['verify_due', 'verify_on_time'] end),
        null
    from case_clock k
    where k.due_at >= :from_at and k.due_at < :to_at and k.stage = 'verifying' and (
        (k.state = 'running' and k.fired > 1)
        or (k.state = 'ended' and (
            k.stopped_at > k.due_at
            or exists (
                select from case_event e
                where e.case_id = k.case_id and e.at = k.stopped_at and e.action in ('confirm', 'dismiss')
            )
        ))
    )
    union all
    -- The clock of the whole case rests when the case is closed, suspended, rejected or merged: kept it is by being closed alone. Each
    -- closing stands, also when the case was opened again.
    select k.case_id, unnest(case when k.stopped_at > k.due_at then array['close_due'] else array['close_due', 'close_on_time'] end), null
    from whole_stop k
    where k.due_at >= :from_at and k.due_at < :to_at
      and exists (select from case_event e where e.case_id = k.case_id and e.at = k.stopped_at and e.action = 'close')
    union all
    select k.case_id, 'close_due', null
    from whole_clock k
    where k.due_at >= :from_at and k.due_at < :to_at and (
        (k.state = 'running' and k.fired > 1)
        or (
            k.state = 'paused' and k.stopped_at > k.due_at
            and not exists (select from case_event e where e.case_id = k.case_id and e.at = k.stopped_at and e.action = 'close')
        )
    )
    union all
    select id, 'reported_in_view', null from report
    union all
    select r.id, 'missed', null
    from report r
    where not exists (
        -- Told of it has also what was found beside and folded into a case elsewhere, and what no rule admits.
        select from incident i
        where i.found_path = r.area_path and (i.category = r.category or i.kind = r.kind)
          and i.simulated = r.simulated and i.drill_id is null
          and i.started_at between r.opened_at - make_interval(secs => :missed_within_s)
            and r.opened_at + make_interval(secs => :missed_within_s)
    )
)
select c.area_path, c.category, c.severity::text as severity, c.simulated, f.fact,
    width_bucket(f.took_s, :bounds::float8[]) as bucket, count(*) as number
from fact f join grid_case c on c.id = f.case_id
where not c.drill and c.status not in ('voided', 'merged')
  and exists (select from unnest(:units::text[]) as unit (path) where c.area_path ^@ unit.path)
group by 1, 2, 3, 4, 5, 6;

-- name: kept_below(starts_on, units)
-- Rows of a day below `units`.
select * from figure_tally t
where grain = 'day' and starts_on = :starts_on
  and exists (select from unnest(:units::text[]) as unit (path) where t.area_path ^@ unit.path);

-- name: kept_of(grain, starts_on, paths)
select * from figure_tally
where grain = :grain and starts_on = :starts_on and area_path = any(:paths::text[]);

-- name: days_kept(from_day, to_day)
select * from figure_tally where grain = 'day' and starts_on between :from_day and :to_day;

-- name: drop_rows(grain, starts_on, paths, categories, severities, simulated)!
delete from figure_tally t
using unnest(:paths::text[], :categories::text[], :severities::text[], :simulated::bool[]) as gone (path, category, severity, simulated)
where t.grain = :grain and t.starts_on = :starts_on and t.area_path = gone.path and t.category = gone.category
  and t.severity = gone.severity and t.simulated = gone.simulated;

-- name: drop_all(grain, starts_on)!
delete from figure_tally where grain = :grain and starts_on = :starts_on;

-- name: first_and_last()^
-- From when to when anything can have happened that figures count.
select least((select min(opened_at) from grid_case), (select min(at) from case_event)) as first_at,
    greatest(
        (select max(opened_at) from grid_case), (select max(at) from case_event),
        (select max(due_at) from case_clock where stage = 'verifying'), (select max(due_at) from whole_clock),
        (select max(due_at) from whole_stop)
    ) as last_at,
    (select min(starts_on) from figure_tally where grain = 'day') as first_kept,
    (select max(starts_on) from figure_tally where grain = 'day') as last_kept;

-- name: rows(paths, grains, from_days, to_days, simulated, category, severity, apart)
-- What an area's figures are made of, under all its paths; all together, or the kinds that are asked for.
select t.*
from unnest(:grains::text[], :from_days::date[], :to_days::date[]) as span (grain, from_day, to_day)
join figure_tally t on t.grain = span.grain and t.starts_on between span.from_day and span.to_day
where t.area_path = any(:paths::text[]) and t.simulated = :simulated
  and case
    when :apart or :category::text is not null or :severity::text is not null
    then t.category <> '' and (:category::text is null or t.category = :category)
      and (:severity::text is null or t.severity = :severity)
    else t.category = ''
  end;

-- name: sums(paths, grains, from_days, to_days, simulated)
-- Counts of several areas.
select t.area_path, sum(opened) as opened, sum(serious) as serious, sum(complaints) as complaints, sum(overdue) as overdue,
    sum(verified) as verified, sum(dispatched) as dispatched, sum(closed) as closed, sum(self_handled) as self_handled,
    sum(reworked) as reworked, sum(returned) as returned, sum(reopened) as reopened, sum(judged) as judged,
    sum(false_alarms) as false_alarms, sum(verify_due) as verify_due, sum(verify_on_time) as verify_on_time,
    sum(close_due) as close_due, sum(close_on_time) as close_on_time, sum(reported_in_view) as reported_in_view,
    sum(missed) as missed
from unnest(:grains::text[], :from_days::date[], :to_days::date[]) as span (grain, from_day, to_day)
join figure_tally t on t.grain = span.grain and t.starts_on between span.from_day and span.to_day
where t.area_path = any(:paths::text[]) and t.simulated = :simulated and t.category = ''
group by t.area_path;

-- name: heat(scope, grains, from_days, to_days, simulated)
-- The few counts of the map, of all areas of a scope: from the index figure_tally_heat alone.
select t.area_path, sum(t.opened) as opened, sum(t.serious) as serious, sum(t.overdue) as overdue
from unnest(:grains::text[], :from_days::date[], :to_days::date[]) as span (grain, from_day, to_day)
join figure_tally t on t.grain = span.grain and t.starts_on between span.from_day and span.to_day
where t.area_path ^@ :scope and t.simulated = :simulated and t.category = ''
group by t.area_path;

-- name: last_days(paths, simulated, to_day)
-- The last day up to `to_day` on which each area had one.
select wanted.path as area_path,
    (
        select starts_on from figure_tally t
        where t.area_path = wanted.path and t.simulated = :simulated and t.category = '' and t.severity = '' and t.grain = 'day'
          and t.starts_on <= :to_day and t.serious > 0
        order by starts_on desc limit 1
    ) as serious,
    (
        select starts_on from figure_tally t
        where t.area_path = wanted.path and t.simulated = :simulated and t.category = '' and t.severity = '' and t.grain = 'day'
          and t.starts_on <= :to_day and t.overdue > 0
        order by starts_on desc limit 1
    ) as overdue,
    (
        select starts_on from figure_tally t
        where t.area_path = wanted.path and t.simulated = :simulated and t.category = '' and t.severity = '' and t.grain = 'day'
          and t.starts_on <= :to_day and t.complaints > 0
        order by starts_on desc limit 1
    ) as complaint
from unnest(:paths::text[]) as wanted (path);

-- name: presence_known_since()$
select since from presence_known;

-- name: counted_from(simulated)$
select min(starts_on) from figure_tally
where area_path = '' and simulated = :simulated and category = '' and severity = '' and grain = 'day' and opened > 0;

-- name: place(code)^
-- An area with all that it has been: `paths` is empty where there never was one.
select :code as code, (array_agg(name order by valid_from desc))[1] as name, coalesce(array_agg(distinct path), '{}') as paths,
    min(valid_from) as began_at
from area where code = :code;

-- name: places_below(scope, level)
select a.code, a.name, array_agg(distinct v.path) as paths, min(v.valid_from) as began_at
from area a join area v on v.code = a.code
where a.valid_to is null and a.level = :level and a.path ^@ :scope
group by a.id
order by a.code;

-- name: visits(scope, zone, from_at, middle_at, to_at)
-- What counters at a station (devices whose spot has the station's code) counted, before `middle_at` and after; days are local ones. A
-- counting line tells each interval's visits; a machine how often it was ever used, from nought again when it was exchanged.
select s.code, s.name, s.area_code,
    count(distinct p.id) as counters,
    coalesce(sum(r.visits) filter (where r.bucket_at >= :middle_at), 0)::float8 as visits,
    count(distinct (r.bucket_at at time zone :zone)::date) filter (where r.bucket_at >= :middle_at) as days,
    coalesce(sum(r.visits) filter (where r.bucket_at < :middle_at), 0)::float8 as visits_before,
    count(distinct (r.bucket_at at time zone :zone)::date) filter (where r.bucket_at < :middle_at) as days_before
from site s
join area a on a.code = s.area_code and a.valid_to is null and a.path ^@ :scope
left join device d on d.spot = lower(s.code) and d.declared
left join series p on p.device_id = d.id and (p.point ~ '[.]in_count$' or p.point = 'use_count')
left join lateral (
    select h.bucket_at,
        case
            when p.point <> 'use_count' then h.total
            when h.maximum < h.before then h.maximum
            else h.maximum - coalesce(h.before, h.minimum)
        end as visits
    from (
        select bucket_at, total, minimum, maximum, lag(maximum) over (order by bucket_at) as before
        from rollup_hour
        where series_id = p.id and bucket_at >= :from_at and bucket_at < :to_at
    ) h
) r on true
where s.closed_at is null and s.kind in ('station', 'gate_house')
group by s.id, s.code, s.name, s.area_code
order by s.code;

-- name: weights(count)
select w.weights, w.least_cases, w.note, w.made_at, a.display_name as made_by
from figure_weights w join account a on a.id = w.made_by
order by w.id desc
limit :count;

-- name: insert_weights(weights, least_cases, note, made_at, made_by)!
insert into figure_weights (weights, least_cases, note, made_at, made_by)
values (:weights, :least_cases, :note, :made_at, :made_by);
