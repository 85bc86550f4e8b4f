alter table grid_case alter column area_path set statistics -1;
analyze grid_case (area_path);
