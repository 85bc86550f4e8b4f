alter table receipt drop column digest;
drop index dead_letter_node;
alter table dead_letter drop column only_copy;
drop table refusal;
