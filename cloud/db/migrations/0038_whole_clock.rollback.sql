drop trigger rulebook_changed on area_level;
drop trigger rulebook_changed on escalation_rung;
drop trigger rulebook_changed on deadline_rule;
drop trigger rulebook_changed on special_day;
drop trigger rulebook_changed on work_calendar;
drop function rulebook_changed();
drop table rulebook_version;
create or replace function case_clock_severity() returns trigger language plpgsql as $$
begin
    update case_clock set severity = new.severity::text, stale = true where case_id = new.id and state <> 'ended';
    return null;
end $$;
drop table whole_firing;
drop table whole_clock;
delete from deadline_rule where stage = 'whole';
alter table deadline_rule drop constraint deadline_rule_stage_check;
alter table deadline_rule add constraint deadline_rule_stage_check check (stage in (
    'verifying', 'dispatching', 'receipt', 'handling', 'suspension', 'checking', 'arrival'
));
