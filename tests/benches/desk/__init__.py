"""The load of a district's desks: years of cases, the people who look at them, and how long each answer takes.

| module | what it does |
|---|---|
| `filling` | writes the cases of some years into a migrated database, the same for the same seed |
| `database` | a server that is kept between runs, filled once, with the settings of a district |
| `mix` | what is asked, by whom, how often |
| `load` | asks at its times, whatever became of what was asked before |
| `judgement` | percentiles, and whether they are good enough |
"""
