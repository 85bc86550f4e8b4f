drop index case_clock_unended;
