drop view account_reachable;
drop table notice_delivery;
drop table notice;
drop table notice_channel;
drop table notice_preference;
drop trigger case_event_notice on case_event;
drop function queue_notice();
drop table notice_due;
