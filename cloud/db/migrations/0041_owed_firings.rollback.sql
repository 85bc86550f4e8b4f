alter table whole_clock drop column ladder_from;
alter table whole_clock drop column owed;
alter table case_clock drop column ladder_from;
alter table case_clock drop column owed;
