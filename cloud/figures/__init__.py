"""Figures (统计与评价): what became of cases, by area, kind and day; ranking of communities, 三零 days, popularity of stations.

`definitions` is the one table of what each figure is made of, `tally` and `histogram` are what adds up, `counting` turns facts into
rows of the roll-up, `ranking`, `quiet` and `popularity` are pure as well; `rolling` keeps the roll-up, `service` reads it.
"""
