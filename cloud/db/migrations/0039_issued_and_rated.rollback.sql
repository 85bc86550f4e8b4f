drop index area_outline;
drop function outline_box(jsonb);
alter table intake_report drop column rated_at, drop column rating;
alter table grid_case drop column rated_by_requester;
drop table password_issue;
