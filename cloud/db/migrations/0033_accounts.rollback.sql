drop index account_role;
alter table account drop column must_change_password;
