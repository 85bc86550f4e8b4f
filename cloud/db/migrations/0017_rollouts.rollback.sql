drop table rollout_event;
drop table node_desired;
drop table rollout_step;
drop table rollout;
drop table node_step;
drop table node_artifact;
drop table artifact;
drop function artifact_refuses_change();
alter table node drop column ring;
