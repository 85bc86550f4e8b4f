-- What a message was told, so that it is told the same when it comes again.
-- depends: 0004_ingest 0009_bad_input

alter table receipt add column session uuid;
comment on column receipt.session is 'The newest session that sent it: each numbers its messages for itself.';

alter table receipt add column rejected text;
comment on column receipt.rejected is 'Why it was rejected; empty where it was taken.';
