-- What cameras at a spot saw of an incident, what its device called it, and the spots that a birth tells of.
-- depends: 0015_departments

alter table incident
    add column views jsonb not null default '[]'::jsonb,
    add column fault text,
    add column raw_code text;
comment on column incident.views is 'Per camera: when, what was counted, which of the evidence it took, or why there is no picture.';
comment on column incident.fault is 'A member of the safety taxonomy, one over all protocols.';
comment on column incident.raw_code is 'What the device itself called it.';

alter table node add column spots jsonb not null default '[]'::jsonb;
comment on column node.spots is 'Places (点位) by the newest birth: id, name, and the cameras that show them.';
