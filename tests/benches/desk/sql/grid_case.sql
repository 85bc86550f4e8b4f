-- Cases of a chunk. Those that go on are every second one of the last ones, and a few old ones.
with numbered as (
    select n,
        case
            when n > %(recent_from)s and (n - %(recent_from)s) %% 2 = 0 then (n - %(recent_from)s) / 2
            when n <= %(recent_from)s and n %% %(old_every)s = 0 and n / %(old_every)s <= %(unended)s - %(recent)s
                then %(recent)s + n / %(old_every)s
        end as unended,
        desk.draw(n, 1 + 100 * %(seed)s) as d1, desk.draw(n, 2 + 100 * %(seed)s) as d2,
        desk.draw(n, 3 + 100 * %(seed)s) as d3, desk.draw(n, 4 + 100 * %(seed)s) as d4,
        desk.draw(n, 5 + 100 * %(seed)s) as d5, desk.draw(n, 6 + 100 * %(seed)s) as d6,
        -- whole local days, evenly
        date_trunc('day', %(now)s::timestamptz - make_interval(secs => %(span_s)s::double precision * (%(total)s - n) / %(total)s),
            'Asia/Shanghai') as day
    from generate_series(%(low)s::bigint, %(high)s::bigint) n
), timed as (
    select t.*,
        least(
            t.day + make_interval(hours => h.hour, secs => 3600 * (t.d1 - h.since) / (h.upto - h.since)),
            %(now)s::timestamptz - make_interval(secs => 60 + 1e-3 * (%(total)s - t.n))
        ) as opened_at,
        p.path, p.code, p.longitude, p.latitude, p.worker_id as worker, s.kind, s.category, s.device_kind, s.category_code,
        f.id as device_id, f.device, f.node, k.id as handler
    from numbered t
    join desk.hour h on t.d1 >= h.since and t.d1 < h.upto
    join desk.place p on p.position = floor(%(places)s * power(t.d2, 1.6))::integer
    join desk.sort s on t.d3 >= s.since and t.d3 < s.upto
    join desk.handler k on k.position = floor(20 * power(t.d4, 2))::integer
    join desk.source f on f.position = p.position and f.kind = s.device_kind
        and f.number = floor(power(t.d4, 2) * case s.device_kind when 'camera' then 3 else 2 end)::integer
), told as (
    select *,
        case
            when unended is not null then case
                when unended %% 11 = 0 then (array['suspended', 'resolved', 'checking', 'resolved'])[1 + floor(4 * d5)::integer]
                when d5 < 0.30 then 'reported'
                when d5 < 0.45 then 'verifying'
                when d5 < 0.52 then 'filed'
                when d5 < 0.68 then 'dispatched'
                else 'in_progress'
            end
            when n %% 37 = 5 and n > %(low)s then 'merged'
            when d5 < 0.33 then 'rejected'
            when d5 < 0.34 then 'voided'
            else 'closed'
        end as status,
        case when d6 < 0.70 then 'department' else 'person' end as chosen
    from timed
), ranked as (
    select *, case when status = 'dispatched' then 'department' else chosen end as manner,
        case status
            when 'reported' then 0 when 'verifying' then 0 when 'rejected' then 1 when 'voided' then 1 when 'merged' then 1
            when 'filed' then 2 when 'dispatched' then 3 when 'in_progress' then 4 when 'suspended' then 4
            when 'resolved' then 5 when 'checking' then 5 else 6
        end as reached
    from told
), staged as (
    select *,
        opened_at + make_interval(secs => 60 + 5400 * power(d6, 4)) as verified,
        opened_at + make_interval(secs => 90 + 5400 * power(d6, 4) + 1200 * d5) as dispatched,
        opened_at + make_interval(secs => 120 + 5400 * power(d6, 4) + 4000 * d5) as accepted,
        opened_at + make_interval(secs => 2000 + 90000 * power(d4, 3) + 8000 * d5) as resolved,
        opened_at + make_interval(secs => 3000 + 150000 * power(d4, 3) + 9000 * d5) as ended
    from ranked
)
insert into grid_case (
    id, number, correlation_key, kind, category, severity, status, version, area_code, area_path, node, device, device_id,
    device_kind, spot, opened_at, started_at, last_activity_at, late, simulated, origin, title, description, longitude,
    latitude, worker_id, department_id, verified_at, filed_at, dispatched_at, accepted_at, resolved_at, resolved_by,
    ended_at, suspended_until, merged_into, merged_from, rating, category_code
)
overriding system value
select n, %(district)s || '-' || to_char(day at time zone 'Asia/Shanghai', 'YYYYMMDD') || '-' || lpad((n %% 1000000)::text, 6, '0'),
    node || ':' || device || ':' || kind, kind, category,
    case when d4 < 0.003 then 'critical' when d4 < 0.08 then 'high' when d4 < 0.45 then 'medium' else 'low' end::severity,
    status, 1 + reached + n %% 3, code, path, node, device, device_id, device_kind, null, opened_at,
    opened_at - interval '20 seconds', opened_at + make_interval(secs => 600 * d3), false, false, 'machine',
    case when d3 < 0.1 then '占用消防通道' end, case when d3 < 0.05 then '楼道口有车辆长时间停放，影响通行' end,
    longitude + 0.003 * d4, latitude + 0.003 * d5,
    case when status <> 'reported' then worker end,
    case when reached >= 3 and manner = 'department' then handler end,
    case when reached >= 1 and status not in ('voided', 'merged') then least(verified, %(now)s) end,
    case when reached >= 2 then least(verified, %(now)s) end,
    case when reached >= 3 and manner = 'department' then least(dispatched, %(now)s) end,
    case when reached >= 4 then least(accepted, %(now)s) end,
    case when reached >= 5 then least(resolved, %(now)s) end,
    case when reached >= 5 and manner = 'person' then worker end,
    case when status in ('closed', 'rejected', 'voided', 'merged') then least(case when reached = 1 then verified else ended end, %(now)s) end,
    case when status = 'suspended' then %(now)s::timestamptz + interval '10 days' end,
    case when status = 'merged' then n - 1 end, case when status = 'merged' then 'reported' end,
    case when status = 'closed' and d3 < 0.1 then 1 + floor(5 * d4) end, category_code
from staged
order by n;
