-- Which clock a case has that runs or rests: of closed cases, of which lists show many, the index alone says that it has none.
-- depends: 0025_deadlines

create index case_clock_unended on case_clock (case_id) where state <> 'ended';
