"""A year in seconds: no deadline missed, none fired twice, whatever happens to those who sweep."""

from tests.cloud.escalation.simulation import Simulation, people


def test_a_year_of_cases(migrated_url: str) -> None:
    report = Simulation(migrated_url, people(migrated_url), seed=1, cases=25).run()
    assert report.right, report
    assert min(report.firings, report.crashes, report.doubled, report.clock_changes, report.whistles) > 0
    assert min(report.acts, report.wholes, report.whole_firings) > 0, report
