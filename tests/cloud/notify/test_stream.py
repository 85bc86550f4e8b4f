import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cloud.access.model import Principal, Role, SignedIn
from cloud.db.live import Event
from cloud.errors import DatabaseAway
from cloud.notify import stream
from cloud.notify.stream import LiveHub, TooManyStreams, render
from tests.cloud.samples import NOW


def session(number: int = 1, path: str = "") -> SignedIn:
    who = Principal(number, f"p{number}", "P", Role.GRID_WORKER, path.rstrip("/") or None, path)
    return SignedIn(who, number, NOW + timedelta(hours=1))


def ready_hub(*, queue_size: int = 8, maximum_clients: int = 20) -> LiveHub:
    """A hub that believes that it listens; events are handed to it by the test."""
    hub = LiveHub("postgresql://nowhere", queue_size=queue_size, maximum_clients=maximum_clients)
    hub._ready.set()
    return hub


def event(number: int, path: str = "a/") -> Event:
    return Event(number, "test", path, {"text": "line\nbreak 中"})


def test_an_event_is_one_message_whatever_it_holds() -> None:
    text = render(event(7)).text.decode()
    assert text == 'id: 7\nevent: test\ndata: {"text":"line\\nbreak 中"}\n\n'


def test_a_client_that_does_not_read_is_dropped_and_holds_no_more_than_its_queue() -> None:
    async def scene() -> None:
        hub = ready_hub(queue_size=4)
        slow, quick = await hub.subscribe(session(1)), await hub.subscribe(session(2))
        for number in range(5):
            hub._hand_out(event(number))
            assert quick.queue.get_nowait() is not None
        assert slow.is_over
        assert slow.queue.qsize() == 1
        assert slow.queue.get_nowait() is None
        assert not quick.is_over

    asyncio.run(scene())


def test_scope_is_checked_for_each_event() -> None:
    async def scene() -> None:
        hub = ready_hub()
        here, there = await hub.subscribe(session(1, "a/b/")), await hub.subscribe(session(2, "a/c/"))
        for number, path in enumerate(["a/b/", "a/b/x/", "a/", "a/c/", ""]):
            hub._hand_out(event(number, path))
        assert (here.queue.qsize(), there.queue.qsize()) == (2, 1)

    asyncio.run(scene())


def test_a_notice_is_for_one_person_whatever_anybody_may_see() -> None:
    told = Event(1, "notice.new", "", {"account_id": 2, "id": 7})

    async def scene() -> None:
        hub = ready_hub()
        everything, addressed = await hub.subscribe(session(1, "")), await hub.subscribe(session(2, "a/b/"))
        hub._hand_out(told)
        hub._hand_out(replace(told, payload={}))
        assert (everything.queue.qsize(), addressed.queue.qsize()) == (0, 1)

    asyncio.run(scene())


@pytest.mark.parametrize("role", Role)
def test_of_commands_only_those_hear_who_may_read_them(role: Role) -> None:
    who = session(1, "a/")
    who = replace(who, principal=replace(who.principal, role=role))
    told = replace(event(1), kind="command.updated")

    async def scene() -> int:
        hub = ready_hub()
        subscription = await hub.subscribe(who)
        hub._hand_out(told)
        return subscription.queue.qsize()

    hears = role in {Role.MAINTAINER, Role.ADMINISTRATOR}
    assert asyncio.run(scene()) == hears
    assert len(stream.visible_to(who.principal, [told, event(2)])) == 1 + hears


def test_a_session_has_few_places_and_the_process_a_limit() -> None:
    async def scene() -> None:
        hub = ready_hub(maximum_clients=10)
        first = [await hub.subscribe(session(1)) for _ in range(stream._STREAMS_PER_SESSION)]
        await hub.subscribe(session(1))
        assert [place.is_over for place in first] == [True] + [False] * (len(first) - 1)
        for number in range(2, 6):
            await hub.subscribe(session(number))
        with pytest.raises(TooManyStreams):
            await hub.subscribe(session(9))

    asyncio.run(scene())


def test_a_person_with_many_sessions_does_not_take_the_places_of_all() -> None:
    async def scene() -> None:
        hub = ready_hub(maximum_clients=stream._STREAMS_PER_ACCOUNT + 1)
        who = session(1)
        mine = [await hub.subscribe(replace(who, session_id=number)) for number in range(stream._STREAMS_PER_ACCOUNT)]
        other = await hub.subscribe(session(2))
        await hub.subscribe(replace(who, session_id=10_000))
        assert [place.is_over for place in (*mine[:2], other)] == [True, False, False]

    asyncio.run(scene())


def test_a_session_that_is_over_loses_all_its_places() -> None:
    async def scene() -> None:
        hub = ready_hub()
        places = [await hub.subscribe(session(number)) for number in (1, 1, 2)]
        hub._end_session("1")
        assert [place.is_over for place in places] == [True, True, False]
        hub.close_streams()
        assert places[2].is_over
        assert (await hub.subscribe(session(3))).is_over

    asyncio.run(scene())


def test_without_a_database_a_client_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        monkeypatch.setattr(stream, "_READY_S", 0.05)
        hub = LiveHub("postgresql://127.0.0.1:1/x", queue_size=4)
        hub.start()
        with pytest.raises(DatabaseAway):
            await hub.subscribe(session())
        assert not hub.is_listening
        await hub.stop()

    asyncio.run(scene())
