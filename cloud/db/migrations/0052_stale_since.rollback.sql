create or replace function case_clock_severity() returns trigger language plpgsql as $$
begin
    update case_clock set severity = new.severity::text, stale = true where case_id = new.id and state <> 'ended';
    update whole_clock set severity = new.severity::text, stale = true where case_id = new.id;
    return null;
end $$;
alter table whole_clock drop column stale_since;
alter table case_clock drop column stale_since;
