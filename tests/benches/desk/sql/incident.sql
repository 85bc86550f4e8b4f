-- One of each case; of every fifth two to six.
insert into incident (
    id, node, incident_id, case_id, revision, state, kind, category, severity, device, device_id, zone, started_at, updated_at,
    ended_at, confidence, dwell_s, track, model, rule, simulated, historical, received_at, views
)
overriding system value
select c.id * 8 + m, c.node, md5(c.id || '-' || m || '-' || %(seed)s)::uuid, coalesce(c.merged_into, c.id), 2 + m,
    case when c.ended_at is null and desk.draw(c.id, 21 + 100 * %(seed)s) < 0.4 and m = 0 then 'update' else 'ended' end,
    c.kind, c.category, c.severity, c.device, c.device_id, 'zone-1', c.started_at + make_interval(secs => 60 * m),
    c.started_at + make_interval(secs => 60 * m + 30),
    case when c.ended_at is null and desk.draw(c.id, 21 + 100 * %(seed)s) < 0.4 and m = 0 then null
        else c.started_at + make_interval(secs => 60 * m + 45) end,
    0.5 + 0.5 * desk.draw(c.id, 22 + 100 * %(seed)s), 30 * desk.draw(c.id, 23 + 100 * %(seed)s),
    '[[1760000000000000, 0.1, 0.2, 0.3, 0.4], [1760000001000000, 0.1, 0.2, 0.3, 0.4]]',
    '{"id": "detector", "version": "1.2.0", "sha256": "0000000000000000000000000000000000000000000000000000000000000001"}',
    jsonb_build_object('id', c.kind, 'version', '1', 'sha256', repeat('0', 63) || '2'),
    false, false, c.opened_at + make_interval(secs => 60 * m + 46), '[]'
from grid_case c
cross join lateral generate_series(
    0, case when desk.draw(c.id, 24 + 100 * %(seed)s) < 0.2 then 1 + floor(5 * power(desk.draw(c.id, 25 + 100 * %(seed)s), 2))::integer else 0 end
) m
where c.id between %(low)s and %(high)s
order by c.id, m;
