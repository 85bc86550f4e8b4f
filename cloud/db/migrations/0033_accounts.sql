-- Passwords that somebody else has made are for one log-in.
-- depends: 0032_audit_chain

alter table account add column must_change_password boolean not null default false;
comment on column account.must_change_password is 'An administrator made it: nothing opens but the change of it.';
create index account_role on account (role) where disabled_at is null;
