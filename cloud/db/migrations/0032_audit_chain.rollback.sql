drop index audit_case;
drop index audit_action;
drop table audit_seal;
drop table audit_link;
drop table audit_waiting;
drop trigger audit_waits_for_link on audit;
drop function audit_waits();
