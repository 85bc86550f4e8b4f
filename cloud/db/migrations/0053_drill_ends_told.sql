-- Drills: those who took part are told of the end.
-- depends: 0050_areas_estimated

alter table drill add column end_told_at timestamptz check (end_told_at >= ended_at);
comment on column drill.end_told_at is 'When those who took part were told that it is over.';
update drill set end_told_at = ended_at where ended_at is not null;
create index drill_end_untold on drill (ended_at) where ended_at is not null and end_told_at is null;

alter table notice add column drill_id bigint references drill;
comment on column notice.drill_id is 'The drill whose end it tells of, where it is of no case.';
create unique index notice_drill_once on notice (drill_id, account_id) where drill_id is not null;
