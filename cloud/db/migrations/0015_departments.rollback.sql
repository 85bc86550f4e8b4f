alter table device drop column department;
