drop index figure_aside_again;
alter table figure_aside drop column again;
alter table figure_due drop column tried;
