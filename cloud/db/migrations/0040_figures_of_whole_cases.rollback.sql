drop index figure_tally_heat;
drop trigger whole_clock_figure_changed on whole_clock;
drop index whole_clock_due_day;
