"""A station's YKC piles come back at once after a cut: `python -m tests.benches.ykc_return --json`.

Each pile logs in, says what it stored and the records of its charges, and asks for its tariff, all as fast as the link takes it. Measured is until
each record was answered, which is after its commit to a real outbox; the piles are one asyncio process of their own.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import structlog

from edge.outbox.outbox import Outbox
from edge.settings import OutboxSettings, YkcPileSettings, YkcSettings
from edge.sources.ykc import answers, messages
from edge.sources.ykc.answers import answer_of
from edge.sources.ykc.frame import FrameReader
from edge.sources.ykc.source import YkcSource


def number_of(index: int) -> str:
    """A pile's number."""
    return f"{index + 1:014}"


async def _come_back(port: int, index: int, stored: int, records: int) -> list[float]:
    """One pile; the seconds that each of its records waited for its answer."""
    number, now = number_of(index), datetime.now(UTC)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began_at = now - timedelta(hours=1)
    prefix = f"{number}01{began_at.astimezone():%y%m%d%H%M%S}"
    said: list[messages.Message] = [
        messages.RealTimeData(
            f"{prefix}0001", number, 1, 3, 0, 1, 3_800, 320, 88, "0" * 16, 40, 80, minute // 4, 9, minute, minute, 0, 0
        )
        for minute in range(stored)
    ]
    said += [
        messages.TransactionRecord(
            f"{prefix}{each:04}", number, 1, began_at, now, (0,) * 16, 0, 9, 9, 9, 0, bytes(17), 1, now, 0x41, "0" * 16
        )
        for each in range(records)
    ]
    said.append(messages.TariffCheck(number, "0100"))
    writer.write(messages.frame_of(messages.Login(number, 0, 2, 16, "V1", 1, "0" * 20, 4), 0).encoded())
    frames, waits = FrameReader(), list[float]()
    sent_s = 0.0
    while len(waits) < records:
        received = await reader.read(4096)
        if not received:
            raise ConnectionError(f"pile {number} was hung up on")
        for frame in frames.feed(received):
            answer = answer_of(frame)
            if isinstance(answer, answers.LoginAnswer):
                writer.write(b"".join(messages.frame_of(each, 1).encoded() for each in said))
                sent_s = time.perf_counter()
                await writer.drain()
            elif isinstance(answer, answers.RecordAnswer):
                waits.append(time.perf_counter() - sent_s)
    writer.close()
    return waits


async def _station(port: int, piles: int, stored: int, records: int) -> list[float]:
    every = await asyncio.gather(*(_come_back(port, index, stored, records) for index in range(piles)))
    return [wait for waits in every for wait in waits]


def _piles(port: int, piles: int, stored: int, records: int, told: Any) -> None:
    began_s = time.perf_counter()
    waits = asyncio.run(_station(port, piles, stored, records))
    cpu = psutil.Process().cpu_times()
    told.put((waits, time.perf_counter() - began_s, cpu.user + cpu.system))


def measured(directory: Path, piles: int, stored: int, records: int) -> dict[str, Any]:
    """All figures."""
    outbox = Outbox(directory, OutboxSettings())
    configured = tuple(
        YkcPileSettings(id=f"pile-{index}", number=number_of(index), guns=2, rules=()) for index in range(piles)
    )
    source = YkcSource(
        YkcSettings(host="127.0.0.1", port=0, piles=configured),
        lambda parcel: outbox.readings(parcel.readings, receipts=parcel.receipts),
        lambda *_: None,
        clock=lambda: datetime.now(UTC),
    )
    source.start()
    while source.port is None:
        time.sleep(0.01)
    process = psutil.Process()
    before = process.memory_info().rss
    cpu_before = process.cpu_times()
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    station = context.Process(target=_piles, args=(source.port, piles, stored, records, told))
    station.start()
    waits, took_s, cpu_of_piles_s = told.get()
    station.join()
    cpu = process.cpu_times()
    tally = source.tally()
    rss = process.memory_info().rss
    source.stop()
    kept = outbox.figures().readings_waiting
    outbox.close()
    return {
        "piles": piles,
        "frames": tally["frames"],
        "readings_kept": kept,
        "seconds": round(took_s, 2),
        "frames_per_s": round(tally["frames"] / took_s),
        "record_answer_s_p50": round(statistics.median(waits), 2),
        "record_answer_s_p95": round(statistics.quantiles(waits, n=20)[-1], 2),
        "records_answered": len(waits),
        "records_told": tally["records"],
        "node_cpu_s": round(cpu.user + cpu.system - cpu_before.user - cpu_before.system, 2),
        "piles_cpu_s": round(cpu_of_piles_s, 2),
        "memory_growth_mib": round((rss - before) / 2**20, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--piles", type=int, default=200)
    parser.add_argument("--stored", type=int, default=240, help="0x13 that each pile has stored: an hour's")
    parser.add_argument("--records", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as directory:
        figures = measured(Path(directory), options.piles, options.stored, options.records)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:>24} {value}")


if __name__ == "__main__":
    main()
