delete from notice_delivery where notice_id in (select id from notice where drill_id is not null);
delete from notice where drill_id is not null;
alter table notice drop column drill_id;
alter table drill drop column end_told_at;
