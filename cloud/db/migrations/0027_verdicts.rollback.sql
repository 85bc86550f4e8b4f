drop table rule_proposal;
drop index case_event_verdict_link;
drop trigger case_event_verdict_due on case_event;
drop function note_verdict_due();
drop table verdict_due;
drop table incident_verdict;
