alter table node drop column spots;
alter table incident drop column raw_code;
alter table incident drop column fault;
alter table incident drop column views;
