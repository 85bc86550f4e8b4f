-- Figures: what becomes of the deadlines of whole cases is counted on the day that was due; the map of a year reads an index alone.
-- depends: 0035_figures 0038_whole_clock

create index whole_clock_due_day on whole_clock (due_at);
create trigger whole_clock_figure_changed after update on whole_clock
    for each row when (
        (old.state, old.due_at, old.stopped_at, old.fired > 1) is distinct from (new.state, new.due_at, new.stopped_at, new.fired > 1)
    ) execute function figure_note_clock();

create index figure_tally_heat on figure_tally_all (simulated, grain, starts_on, area_path) include (opened, serious, overdue);
