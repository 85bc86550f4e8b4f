"""The tempo is tried in processes of its own: it changes the clocks of the whole interpreter."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from tests.system.endurance.tempo import Tempo

SPEED = 1_000.0
"""So fast that what is not hastened shows: minutes would pass."""


def run(script: str) -> list[str]:
    """The lines that a script prints; `tempo` and `real_monotonic` are there."""
    prologue = f"""
import time
real_monotonic = time.monotonic
from tests.system.endurance.tempo import Tempo, hasten_clocks, hasten_dates, name_threads
tempo = Tempo({SPEED}, time.time())
hasten_clocks(tempo)
"""
    done = subprocess.run(
        [sys.executable, "-c", prologue + script], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


@given(origin_s=st.floats(0, 4e9), passed_s=st.floats(0, 1e5), speed=st.floats(1, 100))
def test_the_origin_is_common_and_time_grows_from_there(origin_s: float, passed_s: float, speed: float) -> None:
    tempo = Tempo(speed, origin_s)
    assert tempo.wall_s(origin_s) == origin_s
    assert abs(tempo.wall_s(origin_s + passed_s) - origin_s - passed_s * speed) <= 1e-3 * speed


def test_waits_are_shorter_and_what_is_no_wait_stays() -> None:
    assert Tempo(20.0, 0.0).shorter(10.0) == 0.5
    assert Tempo(20.0, 0.0).shorter(None) is None
    assert Tempo(20.0, 0.0).shorter(0) == 0
    assert Tempo(20.0, 0.0).shorter(-1) == -1


def test_events_queues_sleeps_selectors_and_asyncio_are_hastened() -> None:
    lines = run("""
import asyncio, queue, select, threading
begun = real_monotonic()
assert not threading.Event().wait(300.0)
try:
    queue.Queue().get(timeout=300.0)
except queue.Empty:
    pass
time.sleep(300.0)
select.select([], [], [], 300.0)
asyncio.run(asyncio.sleep(300.0))
print(real_monotonic() - begun < 60.0)
""")
    assert lines == ["True"]


def test_a_wait_is_as_long_by_the_hastened_clock_as_it_was_asked_for() -> None:
    lines = run("""
import threading
begun = time.monotonic()
threading.Event().wait(500.0)
print(time.monotonic() - begun >= 490.0)
begun = time.time()
time.sleep(500.0)
print(time.time() - begun >= 490.0)
walls = [time.time(), time.clock_gettime(time.CLOCK_REALTIME), time.time_ns() / 1e9, time.time()]
print(walls == sorted(walls))
counts = [time.monotonic(), time.clock_gettime(time.CLOCK_MONOTONIC), time.monotonic_ns() / 1e9, time.monotonic()]
print(counts == sorted(counts))
""")
    assert lines == ["True"] * 4


def test_our_own_modules_see_hastened_dates_which_are_plain_values() -> None:
    lines = run("""
import datetime as real
from edge.node import status
import edge.outbox.outbox as outbox, edge.contract.telemetry as telemetry
hasten_dates()
time.sleep(3_600.0)
now = outbox._utc_now()
print((now - real.datetime.now(real.UTC)).total_seconds() > 3_000.0)
print(type(now) is real.datetime)
made = outbox.datetime(2026, 1, 1, tzinfo=real.UTC)
print(type(made) is real.datetime, isinstance(made, outbox.datetime))
print(type(outbox.datetime.fromisoformat("2026-01-01T00:00:00+00:00")) is real.datetime)
""")
    assert lines == ["True", "True", "True True", "True"]


def test_threads_are_known_to_the_system_by_their_names() -> None:
    lines = run("""
import sys, threading
if not sys.platform.startswith("linux"):
    print("camera-a", "look")
    sys.exit()
name_threads()
told = []
def tell():
    told.append(open(f"/proc/self/task/{threading.get_native_id()}/comm").read().strip())
for thread in (threading.Thread(target=tell, name="camera-a"), threading.Timer(0, tell)):
    thread.name = "look" if isinstance(thread, threading.Timer) else thread.name
    thread.start()
    thread.join()
print(*told)
""")
    assert lines == ["camera-a look"]
