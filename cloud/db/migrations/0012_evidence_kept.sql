-- Sealed files name what was sealed; files go once their time is over.
-- depends: 0011_losses

alter table evidence add column plain_sha256 text check (plain_sha256 ~ '^[0-9a-f]{64}$');
alter table evidence add column pruned_at timestamptz;
comment on column evidence.plain_sha256 is 'Of a sealed file: the hash of what was sealed, as the node says. Whoever opens it compares.';
comment on column evidence.pruned_at is 'When the bytes were deleted because their time was over; what is sent again is stored again.';
