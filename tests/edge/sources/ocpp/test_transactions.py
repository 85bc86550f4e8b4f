from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge.sources.ocpp.transactions import LARGEST_NUMBER, Transaction, TransactionBook

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def begin(book: TransactionBook, number: int, *, station: str = "pile-1", connector: int = 1, minute: int = 0) -> bytes:
    started_at = NOW + timedelta(minutes=minute)
    mark = book.start(station, Transaction(number, connector, started_at), ("start", number))
    book.settle(mark)
    return mark


def end(book: TransactionBook, number: int, *, station: str = "pile-1", connector: int = 1) -> bytes:
    mark = book.stop(station, Transaction(number, connector, NOW + timedelta(hours=1)), ("stop", number))
    book.settle(mark)
    return mark


def test_a_number_never_comes_again_even_when_the_marks_are_lost() -> None:
    book = TransactionBook()
    numbers = [book.next_number(NOW) for _ in range(5)]
    assert len(set(numbers)) == 5
    assert TransactionBook().next_number(NOW + timedelta(minutes=1)) > max(numbers)
    assert 0 < max(numbers) <= LARGEST_NUMBER


def test_what_was_kept_is_known_after_a_restart_and_only_then_shown_to_rules_again() -> None:
    book = TransactionBook()
    mark = begin(book, 7)
    known = book.known("pile-1", ("start", 7))
    assert known is not None
    assert known.in_this_run
    again = TransactionBook([mark]).known("pile-1", ("start", 7))
    assert again is not None
    assert (again.number, again.connector, again.at, again.in_this_run) == (7, 1, NOW, False)


def test_what_was_not_kept_was_never_heard() -> None:
    book = TransactionBook()
    book.start("pile-1", Transaction(7, 1, NOW), ("start", 7))
    assert book.known("pile-1", ("start", 7)) is None
    assert list(book.open_of("pile-1")) == []


def test_two_stations_have_nothing_in_common() -> None:
    book = TransactionBook()
    begin(book, 7)
    assert book.known("pile-2", ("start", 7)) is None
    assert book.connector_of("pile-2", 7) is None
    end(book, 7, station="pile-2")
    assert [charge.number for charge in book.open_of("pile-1")] == [7]


def test_a_beginning_that_is_told_after_its_end_opens_nothing() -> None:
    book = TransactionBook()
    end(book, 7)
    begin(book, 7)
    assert list(book.open_of("pile-1")) == []


def test_marks_that_can_not_be_read_tell_nothing() -> None:
    assert len(TransactionBook([b"", b"\xff" * 31, b"x" * 1_000])) == 0


def test_it_is_bounded() -> None:
    book = TransactionBook(most=100)
    for number in range(1, 1_000):
        begin(book, number)
    assert len(book) == 100
    assert book.connector_of("pile-1", 1) is None
    assert book.connector_of("pile-1", 999) == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6), st.integers(1, 3)), max_size=40), st.integers(0, 40))
def test_a_restart_at_any_moment_changes_nothing(said: list[tuple[bool, int, int]], restart_after: int) -> None:
    through, marks = TransactionBook(), list[bytes]()
    restarted = TransactionBook()
    for index, (starts, number, connector) in enumerate(said):
        if index == restart_after:
            restarted = TransactionBook(marks)
        for book in (through, restarted):
            mark = begin(book, number, connector=connector, minute=index) if starts else end(book, number)
        marks.append(mark)
    if restart_after >= len(said):
        restarted = TransactionBook(marks)
    assert sorted(map(repr, through.open_of("pile-1"))) == sorted(map(repr, restarted.open_of("pile-1")))
    assert [through.has_ended("pile-1", number) for number in range(7)] == [
        restarted.has_ended("pile-1", number) for number in range(7)
    ]
