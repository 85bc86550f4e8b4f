alter table evidence drop column pruned_at;
alter table evidence drop column plain_sha256;
