drop table audit;
drop function audit_refuses_change();
drop table login_attempt;
drop table session;
drop table account;
drop table area;
drop table area_level;
