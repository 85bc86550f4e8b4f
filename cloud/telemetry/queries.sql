-- name: add_readings(series_id, observed_at, value, flag)!
-- The first write of a (series, time) wins.
insert into reading (series_id, observed_at, value, flag)
select * from unnest(:series_id::integer[], :observed_at::timestamptz[], :value::double precision[], :flag::smallint[])
on conflict do nothing;

-- name: correct_readings(series_id, observed_at, value, flag)!
-- Corrections replace what is there; the caller hands in one per (series, time).
insert into reading (series_id, observed_at, value, flag)
select * from unnest(:series_id::integer[], :observed_at::timestamptz[], :value::double precision[], :flag::smallint[])
on conflict (series_id, observed_at) do update set value = excluded.value, flag = excluded.flag;

-- name: advance_latest(series_id, observed_at, value, flag)!
-- Only forward; a correction (flag 2) of the newest time replaces it.
insert into latest (series_id, observed_at, value, flag)
select * from unnest(:series_id::integer[], :observed_at::timestamptz[], :value::double precision[], :flag::smallint[])
on conflict (series_id) do update
set observed_at = excluded.observed_at, value = excluded.value, flag = excluded.flag
where excluded.observed_at > latest.observed_at
    or (excluded.observed_at = latest.observed_at and excluded.flag & 2 <> 0);

-- name: touch_minutes(series_id, bucket_at)!
insert into touched_minute (series_id, bucket_at)
select * from unnest(:series_id::integer[], :bucket_at::timestamptz[]);

-- name: add_changes(device_id, point, observed_at, value, received_at)!
insert into state_change (device_id, point, observed_at, value, received_at)
select *, :received_at
from unnest(:device_id::bigint[], :point::text[], :observed_at::timestamptz[], :value::text[])
on conflict do nothing;

-- name: add_gap(gap_id, device_id, from_at, to_at, count, reason, received_at)!
insert into gap (gap_id, device_id, from_at, to_at, count, reason, received_at)
values (:gap_id, :device_id, :from_at, :to_at, :count, :reason, :received_at)
on conflict (gap_id) do nothing;

-- name: declare_series(device_id, point, kind, unit, minimum, maximum, period_s)!
insert into series (device_id, point, kind, unit, minimum, maximum, period_s)
select * from unnest(
    :device_id::bigint[], :point::text[], :kind::text[], :unit::text[],
    :minimum::double precision[], :maximum::double precision[], :period_s::double precision[]
)
on conflict (device_id, point) do update
set kind = excluded.kind, unit = excluded.unit, minimum = excluded.minimum, maximum = excluded.maximum, period_s = excluded.period_s
where (series.kind, series.unit, series.minimum, series.maximum, series.period_s)
    is distinct from (excluded.kind, excluded.unit, excluded.minimum, excluded.maximum, excluded.period_s);

-- name: series_of_devices(device_ids)
select id, device_id, point, kind, unit, minimum, maximum, period_s
from series
where device_id = any(:device_ids::bigint[])
order by device_id, point;

-- name: points_of_devices(device_ids)
-- Points with their newest value: numbers from latest, states from the changes.
select
    series.device_id, series.point, series.kind, series.unit, series.minimum, series.maximum, series.period_s,
    coalesce(latest.observed_at, state.observed_at) as observed_at, latest.value, state.value as state
from series
left join latest on latest.series_id = series.id
left join lateral (
    select observed_at, value
    from state_change
    where series.kind = 'state' and state_change.device_id = series.device_id and state_change.point = series.point
    order by observed_at desc
    limit 1
) as state on true
where series.device_id = any(:device_ids::bigint[])
order by series.device_id, series.point;

-- name: open_partition(moment)$
select open_reading_partition(:moment);

-- name: raw_readings(series_id, from_at, to_at, count)
select observed_at, value
from reading
where series_id = :series_id and observed_at >= :from_at and observed_at < :to_at
order by observed_at
limit :count;

-- name: minute_rollups(series_id, from_at, to_at, count)
select bucket_at as observed_at, total / count as mean, minimum, maximum
from rollup_minute
where series_id = :series_id and bucket_at >= :from_at and bucket_at < :to_at
order by bucket_at
limit :count;

-- name: hour_rollups(series_id, from_at, to_at, count)
select bucket_at as observed_at, total / count as mean, minimum, maximum
from rollup_hour
where series_id = :series_id and bucket_at >= :from_at and bucket_at < :to_at
order by bucket_at
limit :count;

-- name: gaps_of_device(device_id, from_at, to_at, count)
select from_at, to_at, count, reason
from gap
where device_id = :device_id and from_at < :to_at and to_at >= :from_at
order by from_at
limit :count;

-- name: newest_gaps(device_id, before_at, before_id, count)
select from_at, to_at, count, reason, received_at, gap_id
from gap
where device_id = :device_id
    and (:before_at::timestamptz is null or (from_at, gap_id) < (:before_at::timestamptz, :before_id::uuid))
order by from_at desc, gap_id desc
limit :count;

-- name: gap_sums(device_id)
select reason, count(*) as gaps, sum(count)::bigint as count, min(from_at) as from_at, max(to_at) as to_at
from gap
where device_id = :device_id
group by reason
order by max(to_at) desc, reason;

-- name: roll_minutes(count)^
-- One snapshot takes the notes and reads the readings: a note that is seen has its readings seen; a later one stays.
with taken as (
    delete from touched_minute
    where ctid = any(array(select ctid from touched_minute limit :count for update skip locked))
    returning series_id, bucket_at
), bucket as (
    select distinct series_id, bucket_at from taken
), computed as (
    select bucket.series_id, bucket.bucket_at, found.*
    from bucket
    cross join lateral (
        select count(*) as count, sum(value) as total, min(value) as minimum, max(value) as maximum
        from reading
        where reading.series_id = bucket.series_id
            and reading.observed_at >= bucket.bucket_at
            and reading.observed_at < bucket.bucket_at + interval '1 minute'
    ) as found
    where found.count > 0
), written as (
    insert into rollup_minute (series_id, bucket_at, count, total, minimum, maximum)
    select series_id, bucket_at, count, total, minimum, maximum from computed
    on conflict (series_id, bucket_at) do update
    set count = excluded.count, total = excluded.total, minimum = excluded.minimum, maximum = excluded.maximum
), noted as (
    insert into touched_hour (series_id, bucket_at)
    select distinct series_id, date_bin('1 hour', bucket_at, 'epoch') from computed
)
select (select count(*) from taken) as taken, (select count(*) from computed) as computed;

-- name: roll_hours(count)^
with taken as (
    delete from touched_hour
    where ctid = any(array(select ctid from touched_hour limit :count for update skip locked))
    returning series_id, bucket_at
), bucket as (
    select distinct series_id, bucket_at from taken
), computed as (
    select bucket.series_id, bucket.bucket_at, found.*
    from bucket
    cross join lateral (
        select sum(count)::integer as count, sum(total) as total, min(minimum) as minimum, max(maximum) as maximum
        from rollup_minute
        where rollup_minute.series_id = bucket.series_id
            and rollup_minute.bucket_at >= bucket.bucket_at
            and rollup_minute.bucket_at < bucket.bucket_at + interval '1 hour'
    ) as found
    where found.count > 0
), written as (
    insert into rollup_hour (series_id, bucket_at, count, total, minimum, maximum)
    select series_id, bucket_at, count, total, minimum, maximum from computed
    on conflict (series_id, bucket_at) do update
    set count = excluded.count, total = excluded.total, minimum = excluded.minimum, maximum = excluded.maximum
)
select (select count(*) from taken) as taken, (select count(*) from computed) as computed;

-- name: lock_rollups()$
-- One at a time, to the end of the transaction: an older snapshot must not overwrite a newer one's buckets.
select pg_advisory_xact_lock(113820177891330)::text;

-- name: points_around(device_ids, from_at, moment, to_at, count)
-- What the points of these devices said around a moment: the last word up to it, and of numbers the range between the two ends.
select
    series.device_id, series.point, series.kind, series.unit,
    coalesce(last.observed_at, state.observed_at) as observed_at, last.value, state.value as state,
    spread.minimum, spread.maximum, coalesce(spread.readings, 0) as readings
from series
left join lateral (
    select observed_at, value
    from reading
    where series.kind = 'number' and reading.series_id = series.id and observed_at >= :from_at and observed_at <= :moment
    order by observed_at desc
    limit 1
) as last on true
left join lateral (
    select min(value) as minimum, max(value) as maximum, count(*) as readings
    from reading
    where series.kind = 'number' and reading.series_id = series.id and observed_at >= :from_at and observed_at < :to_at
) as spread on true
left join lateral (
    select observed_at, value
    from state_change
    where series.kind = 'state' and state_change.device_id = series.device_id and state_change.point = series.point
        and observed_at <= :moment
    order by observed_at desc
    limit 1
) as state on true
where series.device_id = any(:device_ids::bigint[]) and (last.value is not null or spread.readings > 0 or state.value is not null)
order by series.device_id, series.kind, series.point
limit :count;
