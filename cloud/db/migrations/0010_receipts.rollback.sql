alter table receipt drop column rejected;
alter table receipt drop column session;
