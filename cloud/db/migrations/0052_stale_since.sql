-- What had fallen due when limits, hours or a severity changed stays due when it was, whenever a sweep comes to tell it.
-- depends: 0038_whole_clock 0041_owed_firings

alter table case_clock add column stale_since timestamptz;
alter table whole_clock add column stale_since timestamptz;
comment on column case_clock.stale_since is 'When what it is measured by changed, the first time since it was worked out; until then its old times hold.';
comment on column whole_clock.stale_since is 'As in case_clock.';

create or replace function case_clock_severity() returns trigger language plpgsql as $$
begin
    update case_clock set severity = new.severity::text, stale = true, stale_since = coalesce(stale_since, now())
    where case_id = new.id and state <> 'ended';
    update whole_clock set severity = new.severity::text, stale = true, stale_since = coalesce(stale_since, now())
    where case_id = new.id;
    return null;
end $$;
