-- Whose camera it is: what a birth tells of it.
-- depends: 0012_evidence_kept

alter table device add column department text;
comment on column device.department is 'Whose it is (归口部门), as the newest birth says; of a GB/T 28181 channel its code says it.';
