alter table incident drop constraint incident_unadmitted, drop constraint incident_place;
delete from incident_evidence where incident_id in (select id from incident where unadmitted_by is not null);
delete from incident_revision where incident_id in (select id from incident where unadmitted_by is not null);
delete from incident where unadmitted_by is not null;
alter table incident
    drop column unadmitted_path,
    drop column unadmitted_by,
    add constraint incident_place check ((case_id is null) <> (order_id is null));
drop table admission_rule;
drop table case_echo;
drop table case_source;
