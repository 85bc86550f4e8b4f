drop table camera_access;
