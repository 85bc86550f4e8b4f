drop table quarantined_node;
drop table device;
drop table node;
