-- Figures: sums of what happened to cases, by day and month, area of each level, category and severity; weights of the ranking.
-- depends: 0033_accounts

create table figure_tally (
    grain text not null check (grain in ('day', 'month')),
    starts_on date not null,
    area_path text collate "C" not null,
    category text not null,
    severity text not null,
    simulated boolean not null,
    opened integer not null,
    serious integer not null,
    complaints integer not null,
    overdue integer not null,
    verified integer not null,
    dispatched integer not null,
    closed integer not null,
    self_handled integer not null,
    reworked integer not null,
    returned integer not null,
    reopened integer not null,
    judged integer not null,
    false_alarms integer not null,
    verify_due integer not null,
    verify_on_time integer not null,
    close_due integer not null,
    close_on_time integer not null,
    reported_in_view integer not null,
    missed integer not null,
    to_verify bigint[] not null,
    to_dispatch bigint[] not null,
    to_close bigint[] not null,
    primary key (area_path, simulated, category, severity, grain, starts_on),
    check ((category = '') = (severity = ''))
) partition by list (category);
comment on table figure_tally is
    'Sums over whole subtrees, made from cases, their history, clocks and verdicts, and at any time made anew: `gridward-cloud figures recompute`.';
comment on column figure_tally.starts_on is 'The local day, or the first day of the month.';
comment on column figure_tally.area_path is 'An area of any level, with all below it; empty: everything.';
comment on column figure_tally.category is 'Empty, as the severity: all together.';
comment on column figure_tally.to_verify is 'Histogram: bucket and count in one number each (cloud/figures/histogram.py).';
create table figure_tally_all partition of figure_tally for values in ('');
create table figure_tally_kind partition of figure_tally default;
create index figure_tally_start on figure_tally (starts_on, grain, area_path);

create table figure_due (
    id bigint generated always as identity primary key,
    case_id bigint not null,
    at timestamptz,
    noted_at timestamptz not null default now()
);
comment on table figure_due is 'Moments of cases whose day has to be counted anew; at null: all days of the case. A note commits with what it tells of.';
alter table figure_due set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

create table figure_weights (
    id bigint generated always as identity primary key,
    weights jsonb not null,
    least_cases integer not null check (least_cases between 1 and 100000),
    note text check (length(note) <= 500),
    made_at timestamptz not null,
    made_by bigint not null references account
);
comment on table figure_weights is 'What counts how much in the ranking of areas (大排名). The newest row holds; rows are never changed.';

-- A day is found by these without reading all of the history.
create index case_event_at on case_event using brin (at) with (pages_per_range = 32, autosummarize = on);
create index case_clock_due_day on case_clock (due_at) where stage = 'verifying';
create index grid_case_reported on grid_case (area_path, opened_at) where origin in ('patrol', 'hotline', 'platform');

create function figure_note_case() returns trigger language plpgsql as $$
begin
    insert into figure_due (case_id, at) values (new.id, case when tg_op = 'INSERT' then new.opened_at end);
    return null;
end
$$;
create trigger grid_case_figure_opened after insert on grid_case
    for each row execute function figure_note_case();
create trigger grid_case_figure_changed after update on grid_case
    for each row when (
        (old.severity, old.category, old.simulated, old.drill, old.area_path, old.opened_at)
            is distinct from (new.severity, new.category, new.simulated, new.drill, new.area_path, new.opened_at)
        or (old.status in ('voided', 'merged')) is distinct from (new.status in ('voided', 'merged'))
    ) execute function figure_note_case();

create function figure_note_event() returns trigger language plpgsql as $$
begin
    insert into figure_due (case_id, at) values (new.case_id, new.at);
    return null;
end
$$;
create trigger case_event_figure after insert on case_event
    for each row when (new.action in (
        'confirm', 'dismiss', 'dispatch', 'claim', 'close', 'rework', 'allow_return', 'reopen', 'reopened', 'came_again',
        'deadline_red', 'rate', 'request_rated'
    )) execute function figure_note_event();

create function figure_note_clock() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (old.state <> 'running' or old.fired > 1) then
        insert into figure_due (case_id, at) values (old.case_id, old.due_at);
    end if;
    if new.state <> 'running' or new.fired > 1 then
        insert into figure_due (case_id, at) values (new.case_id, new.due_at);
    end if;
    return null;
end
$$;
create trigger case_clock_figure_begun after insert on case_clock
    for each row when (new.stage = 'verifying') execute function figure_note_clock();
create trigger case_clock_figure_changed after update on case_clock
    for each row when (
        new.stage = 'verifying'
        and (old.state, old.due_at, old.stopped_at, old.fired > 1)
            is distinct from (new.state, new.due_at, new.stopped_at, new.fired > 1)
    ) execute function figure_note_clock();

create function figure_note_verdict() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into figure_due (case_id, at) values (old.case_id, old.judged_at);
    end if;
    if tg_op <> 'DELETE' then
        insert into figure_due (case_id, at) values (new.case_id, new.judged_at);
    end if;
    return null;
end
$$;
create trigger incident_verdict_figure after insert or update or delete on incident_verdict
    for each row execute function figure_note_verdict();

-- What a machine tells of may take away that a report was missed by machines; half an hour is MISSED_WITHIN_MIN of cloud/figures.
create function figure_note_incident() returns trigger language plpgsql as $$
begin
    insert into figure_due (case_id, at)
    select r.id, r.opened_at
    from grid_case c
    join grid_case r on r.area_path = c.area_path and r.origin in ('patrol', 'hotline', 'platform')
        and r.opened_at between new.started_at - interval '30 minutes' and new.started_at + interval '30 minutes'
    where c.id = new.case_id;
    return null;
end
$$;
create trigger incident_figure after insert on incident
    for each row when (new.case_id is not null) execute function figure_note_incident();

-- Cases from before this migration are all to be counted.
insert into figure_due (case_id) select id from grid_case order by id;
