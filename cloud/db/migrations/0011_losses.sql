-- When a node last told of a loss: event times of what was dropped may lie days before it was.
-- depends: 0007_health

alter table node_health add column losses bigint not null default 0;
alter table node_health add column lost_at timestamptz;
comment on column node_health.losses is 'Readings and incidents that the node has counted as lost since its store was made, dropped ones included.';
comment on column node_health.lost_at is 'When that count was last seen to have grown, by the clock of the cloud.';

update node_health
set losses = dropped + coalesce((report ->> 'lost_readings')::bigint, 0) + coalesce((report ->> 'lost_incidents')::bigint, 0);
