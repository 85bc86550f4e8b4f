drop table figure_fill;
drop table figure_aside;
create or replace function figure_note_event() returns trigger language plpgsql as $$
begin
    insert into figure_due (case_id, at) values (new.case_id, new.at);
    return null;
end
$$;
drop trigger whole_clock_stopped on whole_clock;
drop function whole_clock_note_stop();
drop table whole_stop;
drop table presence_known;
drop table report_view;
drop trigger incident_figure_changed on incident;
drop trigger incident_figure on incident;
create or replace function figure_note_incident() returns trigger language plpgsql as $$
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
drop trigger incident_placed on incident;
drop function incident_note_place();
drop index incident_found;
alter table incident drop column found_path;
drop function incident_place_found(bigint, bigint, text);
