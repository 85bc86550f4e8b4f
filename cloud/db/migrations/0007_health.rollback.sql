drop table node_health;
