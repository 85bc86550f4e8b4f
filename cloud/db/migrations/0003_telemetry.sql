-- Series, readings, their rollups, changes of state and declared gaps.
-- depends: 0002_fleet

create table series (
    id integer generated always as identity primary key,
    device_id bigint not null references device on delete cascade,
    point text not null,
    kind text not null check (kind in ('number', 'state')),
    unit text,
    minimum double precision,
    maximum double precision,
    period_s double precision,
    unique (device_id, point)
);
comment on table series is 'A declared point of a device.';

-- No foreign key to series: it would cost a look-up for each reading, and series are removed after their readings.
-- A hypertable where the server has TimescaleDB, else native partitions by month with a default, so that nothing is lost.
-- Whether its library is preloaded is asked first, by a setting of the library: without it every use ends the whole session,
-- which no exception block can catch. The extension may live in any schema.
do $$
declare
    is_preloaded boolean := exists (select from pg_settings where name = 'timescaledb.disable_load');
    timescale_schema text;
begin
    if is_preloaded and not exists (select from pg_extension where extname = 'timescaledb') then
        begin
            create extension timescaledb;
        exception when others then
            raise notice 'TimescaleDB is there but can not be used: %', sqlerrm;
        end;
    end if;
    if is_preloaded then
        select extnamespace::regnamespace::text into timescale_schema from pg_extension where extname = 'timescaledb';
    end if;
    execute 'create table reading (
        observed_at timestamptz not null,
        value double precision not null,
        series_id integer not null,
        flag smallint not null,
        primary key (series_id, observed_at)
    )' || case when timescale_schema is null then ' partition by range (observed_at)' else '' end;
    if timescale_schema is null then
        create table reading_default partition of reading default;
    else
        execute format(
            $call$select %s.create_hypertable(
                'reading', 'observed_at', chunk_time_interval => interval '1 month', create_default_indexes => false
            )$call$,
            timescale_schema
        );
    end if;
end
$$;

-- Opens the partition of the month that `moment` lies in and moves what waited in the default into it. False when it was
-- there already, or where TimescaleDB keeps the chunks.
create function open_reading_partition(moment timestamptz) returns boolean language plpgsql as $$
declare
    month timestamp := date_trunc('month', moment at time zone 'UTC');
    from_at timestamptz := month at time zone 'UTC';
    to_at timestamptz := (month + interval '1 month') at time zone 'UTC';
    name text := 'reading_' || to_char(month, 'YYYY_MM');
begin
    if to_regclass('reading_default') is null or to_regclass(name) is not null then
        return false;
    end if;
    perform set_config('lock_timeout', '5s', true);
    lock table reading_default in access exclusive mode;
    if to_regclass(name) is not null then
        return false;
    end if;
    execute format('create table %I (like reading including all)', name);
    execute format(
        'with moved as (delete from reading_default where observed_at >= %L and observed_at < %L returning *)
         insert into %I (observed_at, value, series_id, flag) select observed_at, value, series_id, flag from moved',
        from_at, to_at, name
    );
    execute format('alter table reading attach partition %I for values from (%L) to (%L)', name, from_at, to_at);
    return true;
end
$$;

comment on table reading is 'Event time in microseconds; the first write of a (series, time) wins unless a correction says so.';

create table latest (
    series_id integer primary key references series on delete cascade,
    observed_at timestamptz not null,
    value double precision not null,
    flag smallint not null
) with (fillfactor = 50);
comment on table latest is 'The newest reading of a series; it only moves forward.';

create table rollup_minute (
    series_id integer not null,
    bucket_at timestamptz not null,
    count integer not null,
    total double precision not null,
    minimum double precision not null,
    maximum double precision not null,
    primary key (series_id, bucket_at)
);
create table rollup_hour (like rollup_minute including all);

create table touched_minute (
    series_id integer not null,
    bucket_at timestamptz not null
);
alter table touched_minute set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
create table touched_hour (like touched_minute including all);
comment on table touched_minute is
    'Buckets whose rollup is out of date. Append-only and without an index: a note commits together with its readings, so whoever sees the note sees them too.';

create table state_change (
    device_id bigint not null references device on delete cascade,
    point text not null,
    observed_at timestamptz not null,
    value text not null,
    received_at timestamptz not null,
    primary key (device_id, point, observed_at)
);

create table gap (
    gap_id uuid primary key,
    device_id bigint not null references device on delete cascade,
    from_at timestamptz not null,
    to_at timestamptz not null,
    count bigint not null check (count > 0),
    reason text not null,
    received_at timestamptz not null,
    check (to_at >= from_at)
);
create index gap_device on gap (device_id, from_at);
comment on table gap is 'Readings that a node declared as dropped: a hole in a chart that is known, not a fault of the cloud.';
