-- Lists of one area among millions of cases: how many lie in each grid is known, and not guessed, when a way to them is chosen. A district has
-- about a thousand grids; the server's own hundred samples leave most of them to chance, and a page of an old year read all its cases.
-- depends: 0034_desk

alter table grid_case alter column area_path set statistics 1000;
analyze grid_case (area_path);
