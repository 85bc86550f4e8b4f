-- Of the last thirty days: each worker hears of his cases, the chiefs of the severe ones.
insert into notice (
    account_id, case_id, case_event_id, word, audience, urgency, manner, because, number, kind, category, severity, status,
    area_code, created_at, seen_at
)
select a.id, c.id, c.id * 16, 'opened', 'worker', 'ring', 'ring', 'news', c.number, c.kind, c.category, c.severity, c.status,
    c.area_code, c.opened_at, case when c.ended_at is not null or desk.draw(c.id, 51 + 100 * %(seed)s) < 0.7 then c.opened_at + interval '5 minutes' end
from grid_case c
join desk.place p on p.code = c.area_code
cross join lateral (
    select p.worker_id as id
    union all
    select id from desk.chief where c.severity >= 'high'
) a
where c.id between %(low)s and %(high)s and c.opened_at >= %(now)s::timestamptz - interval '30 days';
