-- Figures: what is past stays as it was. Where an incident was found, whether a report was in view of a camera, and each stop of the clock of
-- a whole case are kept as facts; notes that fail are set aside, and what is old is counted day by day, behind what is new.
-- depends: 0040_figures_of_whole_cases

alter table incident add column found_path text collate "C";
comment on column incident.found_path is 'The grid of the device that found it, when it came first; else that of its case. Null for faults of devices.';

create function incident_place_found(device bigint, in_case bigint, unadmitted_path text) returns text language sql stable as $$
    select coalesce(
        (select a.path from device d join area a on a.code = d.grid_code and a.valid_to is null where d.id = device),
        (select area_path from grid_case where id = in_case),
        unadmitted_path
    )
$$;
update incident set found_path = incident_place_found(device_id, case_id, unadmitted_path) where order_id is null;
create index incident_found on incident (found_path, started_at) where found_path is not null;

create function incident_note_place() returns trigger language plpgsql as $$
begin
    new.found_path := incident_place_found(new.device_id, new.case_id, new.unadmitted_path);
    return new;
end
$$;
create trigger incident_placed before insert on incident
    for each row when (new.order_id is null) execute function incident_note_place();

-- Half an hour is MISSED_WITHIN_MIN of cloud/figures. Of a new row `old` is null, and least and greatest leave it out.
drop trigger incident_figure on incident;
create or replace function figure_note_incident() returns trigger language plpgsql as $$
begin
    insert into figure_due (case_id, at)
    select r.id, r.opened_at
    from grid_case r
    where r.area_path = new.found_path and r.origin in ('patrol', 'hotline', 'platform')
      and r.opened_at between least(old.started_at, new.started_at) - interval '30 minutes'
        and greatest(old.started_at, new.started_at) + interval '30 minutes';
    return null;
end
$$;
create trigger incident_figure after insert on incident
    for each row when (new.found_path is not null) execute function figure_note_incident();
create trigger incident_figure_changed after update on incident
    for each row when (
        new.found_path is not null
        and (old.started_at, old.kind, old.category, old.simulated, old.drill_id)
            is distinct from (new.started_at, new.kind, new.category, new.simulated, new.drill_id)
    ) execute function figure_note_incident();

create table report_view (
    case_id bigint primary key references grid_case,
    in_view boolean not null
);
comment on table report_view is 'Whether a camera in order looked at the grid of what people reported. Stays when it is forgotten how cameras came and went.';

create table presence_known (
    id smallint primary key check (id = 1),
    since timestamptz
);
comment on table presence_known is 'From when on `presence_change` is whole; null: from its beginning.';
insert into presence_known (id) values (1);

create table whole_stop (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    due_at timestamptz not null,
    stopped_at timestamptz not null
);
comment on table whole_stop is 'Each time that the clock of a whole case came to rest, and what was due then. A case that is opened again was closed all the same.';
create index whole_stop_due on whole_stop (due_at);
create index whole_stop_case on whole_stop (case_id);
insert into whole_stop (case_id, due_at, stopped_at) select case_id, due_at, stopped_at from whole_clock where state = 'paused' order by case_id;
create trigger whole_stop_append_only before update or delete on whole_stop
    for each row execute function history_refuses_change();
create function whole_clock_note_stop() returns trigger language plpgsql as $$
begin
    insert into whole_stop (case_id, due_at, stopped_at) values (new.case_id, new.due_at, new.stopped_at);
    return null;
end
$$;
create trigger whole_clock_stopped after update on whole_clock
    for each row when (old.state = 'running' and new.state = 'paused') execute function whole_clock_note_stop();

-- A reopening counts on the day of the closing that it undoes, a return on that of its dispatch.
create or replace function figure_note_event() returns trigger language plpgsql as $$
begin
    insert into figure_due (case_id, at) values (new.case_id, new.at);
    if new.action in ('reopen', 'reopened', 'came_again') and new.from_status = 'closed' then
        insert into figure_due (case_id, at)
        select new.case_id, e.at from case_event e
        where e.case_id = new.case_id and e.id < new.id and e.action = 'close'
        order by e.id desc limit 1;
    elsif new.action = 'allow_return' then
        insert into figure_due (case_id, at)
        select new.case_id, e.at from case_event e
        where e.case_id = new.case_id and e.id < new.id
          and (e.action = 'claim' or (e.action = 'dispatch' and e.from_status = 'filed'))
        order by e.id desc limit 1;
    end if;
    return null;
end
$$;

create table figure_aside (
    id bigint primary key,
    case_id bigint not null,
    at timestamptz,
    noted_at timestamptz not null,
    error text not null,
    aside_at timestamptz not null default now()
);
comment on table figure_aside is 'Notes of figure_due that could not be counted, and why: the others go on. `figures recompute` of their days makes up for them.';

-- Everything is counted once more, the last days first, one after another behind what is new: in the place of a note for each old case.
create table figure_fill (
    id smallint primary key check (id = 1),
    next_day date
);
comment on table figure_fill is 'Days before and on this are still to be counted once; null: all. No row: none.';
delete from figure_due where at is null;
insert into figure_fill (id) select 1 where exists (select from grid_case);
