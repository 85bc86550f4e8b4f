-- Of cases that go on, and of those of the last year.
insert into case_clock (
    id, case_id, area_path, category, severity, stage, state, started_at, since, used, due_at, amber_at, stopped_at, deadline,
    fired, next_at, rule_id, makeshift, stale
)
overriding system value
select c.id * 8 + s.step, c.id, c.area_path, c.category, c.severity::text, s.stage,
    case when s.upto is null then 'running' else 'ended' end, s.since, s.since, interval '0',
    s.due, s.due - interval '12 minutes', s.upto, 1,
    case when s.upto is not null then 0 when s.due <= %(now)s then 6 else 0 end,
    case when s.upto is null and s.due > %(now)s then greatest(s.due - interval '12 minutes', %(now)s::timestamptz + interval '1 hour') end,
    null, true, false
from grid_case c
cross join lateral (
    select v.*,
        case when v.upto is null and desk.draw(c.id, 41 + 100 * %(seed)s) < 0.6
            then %(now)s::timestamptz + make_interval(hours => 2 + floor(200 * desk.draw(c.id, 42 + 100 * %(seed)s))::integer)
            else least(v.since + interval '4 hours', case when v.upto is null then %(now)s::timestamptz end) end as due
    from (values
        (0, 'verifying', c.opened_at, coalesce(c.verified_at, c.ended_at), true),
        (1, 'dispatching', c.filed_at, coalesce(c.dispatched_at, c.accepted_at), true),
        (2, 'receipt', c.dispatched_at, c.accepted_at, true),
        (3, 'handling', c.accepted_at, case c.status when 'suspended' then c.accepted_at + interval '1 minute' else c.resolved_at end, true),
        (4, 'suspension', case when c.status = 'suspended' then c.accepted_at + interval '1 minute' end, null, true),
        (5, 'checking', c.resolved_at, c.ended_at, true)
    ) as v (step, stage, since, upto, counted)
    where v.since is not null
) s
where c.id between %(low)s and %(high)s and (c.ended_at is null or c.opened_at >= %(now)s::timestamptz - interval '1 year')
order by c.id, s.step;
