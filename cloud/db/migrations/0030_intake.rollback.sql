drop table report_picture;
drop table intake_report;
alter table grid_case drop column category_code, drop column published_at;
drop table case_category;
