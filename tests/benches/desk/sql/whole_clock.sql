-- Of the same cases as `case_clock`: it runs, or rests since the case is suspended or over.
insert into whole_clock (
    case_id, area_path, category, severity, state, started_at, since, used, due_at, amber_at, stopped_at, deadline, fired, next_at,
    rule_id, makeshift, stale
)
select c.id, c.area_path, c.category, c.severity::text, case when s.stopped is null then 'running' else 'paused' end,
    c.opened_at, c.opened_at, interval '0', s.due, s.due - interval '1 day', s.stopped, 1,
    case when s.stopped is null and s.due <= %(now)s then 6 else 0 end,
    case when s.stopped is null and s.due > %(now)s then greatest(s.due - interval '1 day', %(now)s::timestamptz + interval '1 hour') end,
    null, true, false
from grid_case c
cross join lateral (
    select e.stopped,
        case when e.stopped is null and desk.draw(c.id, 43 + 100 * %(seed)s) < 0.6
            then %(now)s::timestamptz + make_interval(hours => 2 + floor(200 * desk.draw(c.id, 44 + 100 * %(seed)s))::integer)
            else least(c.opened_at + interval '5 days', case when e.stopped is null then %(now)s::timestamptz end) end as due
    from (
        select case c.status when 'suspended' then c.accepted_at + interval '1 minute' else c.ended_at end as stopped
    ) e
) s
where c.id between %(low)s and %(high)s and (c.ended_at is null or c.opened_at >= %(now)s::timestamptz - interval '1 year')
order by c.id;
