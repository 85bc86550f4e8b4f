alter table node_health drop column lost_at;
alter table node_health drop column losses;
