-- Firmware of devices goes out by rollouts too: a step, an order and what is announced are of a node, or of one device on it.
-- depends: 0019_views

alter table node_artifact add column device text not null default '';
alter table node_artifact drop constraint node_artifact_pkey, add primary key (node_id, artifact, name, device);
comment on column node_artifact.device is 'Which device runs it; empty for the node itself. Of a device `sha256` is empty: none names a hash.';

alter table node_step add column device text not null default '';
alter table node_step drop constraint node_step_pkey, add primary key (node_id, artifact, name, device);

alter table rollout_step add column device text not null default '';
alter table rollout_step drop constraint rollout_step_pkey, add primary key (rollout_id, node_id, device);
comment on column rollout_step.device is 'Which device on the node the step is about; empty for the node itself.';
drop index rollout_step_holds;
create unique index rollout_step_holds on rollout_step (node_id, artifact, name, device) where holds;

alter table node_desired add column device text not null default '';
alter table node_desired drop constraint node_desired_pkey, add primary key (node_id, artifact, name, device);

alter table rollout_event add column device text;

create table node_order_time (
    node_id bigint not null references node on delete cascade,
    artifact text not null,
    name text not null,
    device text not null,
    issued_at timestamptz not null,
    primary key (node_id, artifact, name, device)
);
comment on table node_order_time is 'When the newest order of a node for an artifact was given, also where none waits: the times of orders grow, for a node refuses one that is older than what it knows.';

insert into node_order_time (node_id, artifact, name, device, issued_at)
select node_id, artifact, name, device, issued_at from node_desired;
