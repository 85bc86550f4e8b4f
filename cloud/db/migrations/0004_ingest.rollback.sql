drop table dead_letter;
drop table quarantine;
drop table node_lane;
drop table receipt;
