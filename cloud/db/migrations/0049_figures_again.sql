-- Figures: what took too long to count is set aside as what fails is, and is tried once more an hour later.
-- depends: 0043_figures_mended

alter table figure_due add column tried boolean not null default false;
comment on column figure_due.tried is 'It was set aside once, because counting it took too long.';
alter table figure_aside add column again boolean not null default false;
comment on column figure_aside.again is 'It took too long, as anything may on a bad day: it is noted once more later.';
create index figure_aside_again on figure_aside (aside_at) where again;
