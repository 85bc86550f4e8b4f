"""The country's holidays and make-up days (法定节假日, 调休), as the State Council announces them each autumn for the next year.

The one door to `chinese_calendar`. A year that it does not know is a plain week; `covered_until` says when that begins, so that
somebody enters the new year's days (`special_day`) or brings the program up to date in time.
"""

from datetime import date

from chinese_calendar.constants import holidays, workdays

_FIRST_YEAR = min(holidays).year
_LAST_YEAR = max(holidays).year


def public_day(day: date) -> bool | None:
    """True for a day that is worked although it is a weekend, False for a holiday, None for an ordinary day or an unknown year."""
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        return None
    if day in workdays:
        return True
    return False if day in holidays else None


def covered_until() -> date:
    """The last day whose standing is known."""
    return date(_LAST_YEAR, 12, 31)
