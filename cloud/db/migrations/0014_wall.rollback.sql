drop table wall_camera;
drop table wall_lease;
