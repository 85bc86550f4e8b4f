-- What fell due before a clock was laid aside or given time stays due when it was, whenever a sweep comes to tell it.
-- depends: 0025_deadlines 0038_whole_clock

alter table case_clock add column owed jsonb not null default '[]' check (jsonb_typeof(owed) = 'array');
alter table case_clock add column ladder_from timestamptz;
alter table whole_clock add column owed jsonb not null default '[]' check (jsonb_typeof(owed) = 'array');
alter table whole_clock add column ladder_from timestamptz;
comment on column case_clock.owed is 'What had fallen due at a step and is not told yet: number, kind, due_at, level and deadline of each.';
comment on column case_clock.ladder_from is 'From when the levels are counted where the clock rested after its time was over; null: from due_at.';
comment on column whole_clock.owed is 'As in case_clock.';
comment on column whole_clock.ladder_from is 'As in case_clock.';
