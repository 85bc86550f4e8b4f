"""What is answered to a pile, and what of it is kept: one conversation per connection, over what the platform knows of its piles. Pure.

Times are node time (aware) and monotonic seconds, both given by the caller. Nothing of a `Turn` may be sent before what it holds is kept.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from edge.contract.fields import shifted
from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading
from edge.settings.ykc import YkcPileSettings
from edge.sources.ykc.answers import (
    Answer,
    ClockOrder,
    DataRequest,
    HeartbeatAnswer,
    LoginAnswer,
    RecordAnswer,
    StartPermission,
    TariffCheckAnswer,
    frame_of,
)
from edge.sources.ykc.faults import recorded_stop
from edge.sources.ykc.fields import MalformedBody
from edge.sources.ykc.frame import PLAIN, Frame
from edge.sources.ykc.messages import (
    BatteryState,
    BmsAbort,
    ChargeEnd,
    ChargeError,
    ChargeOutput,
    ChargerAbort,
    ClockAnswer,
    Heartbeat,
    Login,
    Message,
    RealTimeData,
    RebootAnswer,
    StartAnswer,
    StartRequest,
    StopAnswer,
    TariffCheck,
    TariffRequest,
    TransactionRecord,
    UpdateAnswer,
    message_of,
)
from edge.sources.ykc.moment import Moment, StoredPhase, told
from edge.sources.ykc.platform import Platform, tariff_of
from edge.sources.ykc.readings import PileReadings

CLOCK_EVERY_S: Final = 86_400.0
"""§9.3: once a day."""

FIRST_YEAR: Final = 2020
LAST_YEAR: Final = 2099
"""CP56Time2a counts from 2000 to 2099; a clock that is before 2020 was never set."""

ASK_AGAIN_S: Final = 30.0
"""So often at most a gun is asked for its data because its heartbeat says otherwise."""

BALANCE_HUNDREDTHS: Final = 10_000_00
"""What a pile is told as the balance of an account: nothing is billed here, and nothing may end a charge for want of money."""

Outcome = StopAnswer | RebootAnswer | UpdateAnswer | ClockAnswer | RealTimeData
"""What answers an order of the platform."""


_OfGun = (
    Login
    | Heartbeat
    | StartRequest
    | StartAnswer
    | TransactionRecord
    | RealTimeData
    | BmsAbort
    | ChargerAbort
    | ChargeEnd
    | ChargeError
    | BatteryState
    | ChargeOutput
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows from a frame: `readings` and `again` (kept before a crash, for rules alone) are to be kept with `marks`, then
    `frames` are to be sent. `login` is the device that has logged in by it, `outcome` what it answered to an order, `farewell` why the
    connection is to be closed after that, `stranger` the number of one who is not configured.
    """

    readings: Sequence[Reading] = ()
    again: Sequence[Reading] = ()
    marks: Sequence[bytes] = ()
    frames: Sequence[Frame] = ()
    login: str | None = None
    outcome: Outcome | None = None
    farewell: str | None = None
    stranger: str | None = None


@dataclass(frozen=True, slots=True)
class _Heard:
    """A message, and when it came."""

    message: Message
    sequence: int
    received_at: datetime
    now_s: float

    @property
    def live(self) -> Moment:
        """As of now."""
        return Moment(self.received_at, self.received_at)


class Conversation:
    """One connection. `correction` is what has to be added to node time to have the true time."""

    def __init__(self, platform: Platform, correction: Callable[[], timedelta] = timedelta) -> None:
        self.pile: YkcPileSettings | None = None
        self.login: Login | None = None
        self._platform = platform
        self._correction = correction
        self._sequence = 0
        self._stored: StoredPhase | None = None
        self._asked_for_data = False
        self._clock_at_s = 0.0
        self._asked_s: dict[int, float] = {}

    def question(self, answer: Answer) -> Frame:
        """Something that the platform says of its own accord, under the next number (0 after 65,535)."""
        frame = frame_of(answer, self._sequence)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return frame

    def tick(self, now: datetime, now_s: float) -> list[Frame]:
        """What is to be said without being asked: the daily clock, and the wish for data once nothing stored is left to come."""
        if self.pile is None:
            return []
        frames = list[Frame]()
        if now_s - self._clock_at_s >= CLOCK_EVERY_S:
            frames += self._clock(now, now_s)
        return frames + self._ask_once(now_s)

    def hear(self, frame: Frame, received_at: datetime, now_s: float) -> Turn:
        """Take one frame. Whatever it holds, this raises nothing: what can't be taken is counted."""
        self._platform.figures.frames += 1
        message = self._message(frame)
        if isinstance(message, Login):
            return self._login(message, frame.sequence, received_at, now_s)
        if self.pile is None:
            self._platform.figures.before_login += message is not None
            encrypted = frame.encryption != PLAIN
            return Turn(farewell="it encrypts, and no key is agreed" if encrypted else None)
        if message is None:
            return Turn()
        if message.pile != self.pile.number:
            return self._not_its_own("wrong_pile")
        return self._count(self._heard(_Heard(message, frame.sequence, received_at, now_s)))

    def _message(self, frame: Frame) -> Message | None:
        """What it says; None for what can't be taken, which is counted."""
        figures = self._platform.figures
        if frame.encryption != PLAIN:
            figures.encrypted += 1
            return None
        try:
            message = message_of(frame)
        except MalformedBody:
            figures.malformed[f"{frame.kind:02X}"] += 1
            return None
        if message is None:
            figures.unknown_type[f"{frame.kind:02X}"] += 1
        return message

    def _count(self, turn: Turn) -> Turn:
        assert self.pile is not None  # noqa: S101 (it has logged in)
        self._platform.figures.replayed += sum(ReadingFlag.REPLAYED in each.flag for each in turn.readings)
        clamped = sum(ReadingFlag.CLAMPED in each.flag for each in turn.readings)
        if clamped:
            self._platform.figures.clamped[self.pile.id] += clamped
        return turn

    def _not_its_own(self, reason: str) -> Turn:
        assert self.pile is not None  # noqa: S101 (it has logged in)
        self._platform.figures.refused[f"{self.pile.id}: {reason}"] += 1
        return Turn()

    def _login(self, login: Login, sequence: int, received_at: datetime, now_s: float) -> Turn:
        pile = self._platform.pile(login.pile)
        readings = self._platform.readings(login.pile)
        if pile is None or readings is None:
            self._platform.knocks.knock(login.pile)
            refusal = frame_of(LoginAnswer(login.pile, 1), sequence)
            return Turn(frames=(refusal,), stranger=login.pile, farewell="its number is not configured")
        self._platform.figures.logins += 1
        self.pile, self.login = pile, login
        self._stored, self._asked_for_data = StoredPhase(now_s=now_s), False
        readings.forget_stored()
        welcome = frame_of(LoginAnswer(login.pile, 0), sequence)
        return Turn(
            readings=readings.login(login, Moment(received_at, received_at)),
            frames=(welcome, *self._clock(received_at, now_s)),
            login=pile.id,
        )

    def _clock(self, now: datetime, now_s: float) -> list[Frame]:
        """Set its clock, unless the node's own was never set."""
        assert self.pile is not None  # noqa: S101 (it has logged in)
        self._clock_at_s = now_s
        time = shifted(now, self._correction())
        possible = FIRST_YEAR <= time.year < LAST_YEAR
        return [self.question(ClockOrder(self.pile.number, time))] if possible else []

    def _ask_once(self, now_s: float) -> list[Frame]:
        """How each gun is, once what comes is live: what was stored says nothing of the present."""
        if self.pile is None or self._stored is None or self._asked_for_data or not self._stored.over(now_s):
            return []
        self._asked_for_data = True
        number = self.pile.number
        return [self.question(DataRequest(number, gun)) for gun in range(1, self.pile.guns + 1)]

    def _heard(self, heard: _Heard) -> Turn:
        """Of a pile that has logged in, under its own number."""
        message = heard.message
        match message:
            case StopAnswer() | RebootAnswer():
                return Turn(outcome=message)
            case UpdateAnswer():
                readings = self._its_readings()
                return Turn(readings=readings.updated(message, heard.live) if readings else (), outcome=message)
            case ClockAnswer():
                return self._clock_answer(message, heard)
            case TariffCheck() | TariffRequest():
                return self._tariff(message, heard)
            case _:
                return self._of_gun(message, heard)

    def _of_gun(self, message: _OfGun, heard: _Heard) -> Turn:
        """What concerns one gun."""
        match message:
            case Heartbeat():
                return self._heartbeat(message, heard)
            case StartRequest():
                return self._start(message, heard)
            case TransactionRecord():
                return self._record(message, heard)
            case RealTimeData():
                return self._real_time(message, heard)
            case Login() | StartAnswer():
                return Turn()
            case _:
                readings = self._its_readings(message.gun)
                return Turn(readings=readings.charge(message, heard.live) if readings else ())

    def _its_readings(self, gun: int | None = None) -> PileReadings | None:
        """What makes readings of this pile; None where it is configured no more or has no such gun."""
        assert self.pile is not None  # noqa: S101 (it has logged in)
        readings = self._platform.readings(self.pile.number)
        if readings is None or (gun is not None and not readings.has(gun)):
            self._not_its_own("unknown_gun")
            return None
        return readings

    def _heartbeat(self, heartbeat: Heartbeat, heard: _Heard) -> Turn:
        answer = frame_of(HeartbeatAnswer(heartbeat.pile, heartbeat.gun), heard.sequence)
        readings = self._its_readings(heartbeat.gun)
        if readings is None:
            return Turn(frames=(answer,))
        said, wanted = readings.heartbeat(heartbeat, heard.live)
        frames = [answer]
        if wanted and heard.now_s - self._asked_s.get(heartbeat.gun, -math.inf) >= ASK_AGAIN_S:
            self._asked_s[heartbeat.gun] = heard.now_s
            frames.append(self.question(DataRequest(heartbeat.pile, heartbeat.gun)))
        return Turn(readings=said, frames=frames)

    def _tariff(self, asked: TariffCheck | TariffRequest, heard: _Heard) -> Turn:
        """The tariff, and the sign that nothing stored is left to come."""
        if self._stored is not None:
            self._stored.tariff_asked()
        tariff = self._platform.settings.tariff
        answer: Answer
        if isinstance(asked, TariffCheck):
            answer = TariffCheckAnswer(asked.pile, tariff.number, int(asked.tariff != tariff.number))
        else:
            answer = tariff_of(asked.pile, tariff)
        return Turn(frames=(frame_of(answer, heard.sequence), *self._ask_once(heard.now_s)))

    def _start(self, asked: StartRequest, heard: _Heard) -> Turn:
        allowed = self._platform.settings.accept_starts and self._its_readings(asked.gun) is not None
        number = self._platform.transaction(asked.pile, asked.gun, heard.received_at + self._correction())
        permission = StartPermission(
            number, asked.pile, asked.gun, asked.card, BALANCE_HUNDREDTHS, int(allowed), 0 if allowed else 0x05
        )
        return Turn(frames=(frame_of(permission, heard.sequence),))

    def _record(self, record: TransactionRecord, heard: _Heard) -> Turn:
        """Told once, and answered whether it is new or not, as soon as it is kept."""
        readings = self._its_readings(record.gun)
        if readings is None:
            return Turn()
        figures, records = self._platform.figures, self._platform.records
        answer = (frame_of(RecordAnswer(record.transaction, 0), heard.sequence),)
        stop = recorded_stop(record.stop_reason)
        until = readings.charged_until(record)
        moment = told(record.ended_at, heard.received_at, self._correction(), not_before=until)
        known = records.known(record)
        if known is None:
            figures.records += 1
            said = readings.record(record, stop, moment)
            return Turn(readings=said, marks=(records.mark(record, moment.observed_at),), frames=answer)
        figures.doubled += 1
        if known.pending:
            return Turn()
        if not known.unseen:
            return Turn(frames=answer)
        return Turn(again=readings.record(record, stop, replace(moment, observed_at=known.observed_at)), frames=answer)

    def _real_time(self, data: RealTimeData, heard: _Heard) -> Turn:
        readings = self._its_readings(data.gun)
        if readings is None or self._stored is None:
            return Turn()
        settled = self._platform.records.settled(data.pile, data.transaction)
        moment = self._stored.moment(data, heard.received_at, self._correction(), now_s=heard.now_s, settled=settled)
        return Turn(readings=readings.real_time(data, moment), outcome=data)

    def _clock_answer(self, answer: ClockAnswer, heard: _Heard) -> Turn:
        assert self.pile is not None  # noqa: S101 (it has logged in)
        if answer.time is not None:
            skew = answer.time - heard.received_at - self._correction()
            self._platform.figures.skew_s[self.pile.id] = round(skew.total_seconds(), 3)
        return Turn(outcome=answer)
