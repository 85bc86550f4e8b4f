"""The publisher: sends what the outbox holds, keeps it until the cloud itself has acknowledged it."""

import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from edge.clock import NodeClock
from edge.contract.answer import Answer
from edge.contract.birth import Birth, NodeStatus, PresenceState
from edge.contract.downlink import Ack, Outcome
from edge.contract.envelope import Envelope, Lane, decode, encode
from edge.contract.errors import UnknownTopic, WireError
from edge.contract.fields import uuid7
from edge.contract.health import NodeHealth
from edge.contract.topics import DOWNLINK, Channel, Topic, parse
from edge.errors import EdgeError
from edge.faults import FAULTS, Place
from edge.flow import OutboxDrain, OutboxRecord
from edge.mqtt import Connected, Delivery, Disconnected, Endpoint, Event, LinkOptions, MqttLink, Nudge, Will
from edge.uplink.downlink import CommandDesk
from edge.uplink.pace import Pace
from edge.uplink.window import InFlight, SendWindow, Sequences

BIRTH_EVERY_S = 300.0
BIRTH_SPACING_S = 2.0
BIRTH_PATIENCE_S = 5.0
"""How long data waits for the acknowledgement of the birth that declares its devices."""

DRAIN_S = 1.0
"""How long a stopping node waits for the last acknowledgements."""

BIRTH_AGAIN_S = 10.0
"""An unanswered birth is sent again after so long, then after twice as long …"""

OLD_INCIDENTS_PER_S = 50.0
HISTORY_PER_S = 20.0
AT_ONCE = 50
"""Messages taken from one lane before the others are looked at again."""

_NOTHING_LEFT = float("inf")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: `session` names this start of the node."""

    district: str
    node: str
    session: UUID

    def topic(self, channel: Channel) -> str:
        """The node's own topic of a channel."""
        return str(Topic(self.district, self.node, channel))


@dataclass(frozen=True, slots=True)
class UplinkFigures:
    """What the link did since the start."""

    connected: bool = False
    connected_since: datetime | None = None
    connections: int = 0
    sent: int = 0
    resent: int = 0
    acknowledged: int = 0
    unreadable: int = 0
    in_flight: int = 0


@dataclass(slots=True)
class _BirthState:
    """The births of one connection; times are monotonic seconds. `ids` are those that an answer may name."""

    wanted: bool = True
    ids: list[UUID] = field(default_factory=list)
    first_sent_s: float = float("inf")
    sent_s: float = float("-inf")
    sent_at: dict[UUID, datetime] = field(default_factory=dict)
    """Node time of the last of `ids`."""
    answered: bool = False
    """Whether the newest one was; the first answer of a connection also lets the data go."""
    data_may_go: bool = False

    def due_s(self) -> float:
        """When the next one has to be sent: soon after a change, again and again until one is answered, else now and then."""
        if self.wanted:
            return self.sent_s + BIRTH_SPACING_S
        again_s = BIRTH_EVERY_S if self.answered else min(BIRTH_EVERY_S, BIRTH_AGAIN_S * 2.0 ** (len(self.ids) - 1))
        return self.sent_s + again_s


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Publisher:
    """The thread `uplink`. `birth` is asked whenever one has to be sent; `announce` asks for one, `nudge` says that the outbox
    has something new. Both may be called from any thread and return at once.
    """

    def __init__(
        self,
        identity: Identity,
        endpoint: Endpoint,
        outbox: OutboxDrain,
        birth: Callable[[], Birth],
        *,
        historical_after_s: float,
        commands: CommandDesk | None = None,
        clock: Callable[[], datetime] | NodeClock = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        window: SendWindow | None = None,
    ) -> None:
        self._identity = identity
        self._outbox = outbox
        self._birth_body = birth
        self._historical_after = timedelta(seconds=historical_after_s)
        self._clock = clock if isinstance(clock, NodeClock) else NodeClock.of(clock)
        self._commands = commands or CommandDesk(identity.node, identity.session, clock=self._clock.told)
        self._monotonic = monotonic
        self._window = SendWindow() if window is None else window
        self._sequences = Sequences()
        self._birth_numbers = itertools.count(1)
        self._old_incidents = Pace(OLD_INCIDENTS_PER_S, burst=AT_ONCE)
        self._history = Pace(HISTORY_PER_S, burst=20)
        self._birth = _BirthState()
        self._figures = UplinkFigures()
        self._pause_s = 0.0
        self._more = threading.Event()
        self._more.set()
        self._stop = threading.Event()
        self._link = MqttLink(
            endpoint,
            LinkOptions(
                client_id=f"gridward-{identity.district}-{identity.node}",
                subscriptions=[identity.topic(channel) for channel in DOWNLINK],
            ),
            will=lambda: self._status(PresenceState.OFFLINE),
        )
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Connect and begin to send."""
        self._link.start()
        self._thread.start()

    def stop(self) -> None:
        """Send what came last, say good-bye and end; what is not acknowledged stays in the outbox."""
        until_s = time.monotonic() + DRAIN_S
        while self._thread.is_alive() and not self._drained() and time.monotonic() < until_s:
            self._stop.wait(0.02)
        self._stop.set()
        self._link.nudge()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._link.stop(farewell=self._status(PresenceState.OFFLINE))

    def _drained(self) -> bool:
        return not self._figures.connected or not (self._more.is_set() or len(self._window))

    def nudge(self) -> None:
        """The outbox has something new."""
        self._more.set()
        self._link.nudge()

    def log_in_as(self, endpoint: Endpoint) -> None:
        """Make the connection anew with other credentials; what is under way is sent again."""
        self._link.use(endpoint)

    @property
    def logged_in_as(self) -> str | None:
        """The user of the present connection, or of the next one."""
        return self._link.endpoint.user

    def announce(self) -> None:
        """Something that a birth tells has changed."""
        self._birth.wanted = True
        self._link.nudge()

    def tell(self, health: NodeHealth) -> bool:
        """Send how the node is, from any thread; False while the cloud does not know yet who speaks. Nothing keeps it, neither
        the outbox nor (at QoS 0) the broker: a report that is late is worth nothing.
        """
        if not (self._figures.connected and self._birth.data_may_go):
            return False
        return self._link.publish(self._identity.topic(Channel.HEALTH), encode(health), qos=0)

    def answer(self, answer: Answer) -> bool:
        """Send a word on a command, from any thread; False without a link. Nothing keeps it: the cloud asks again."""
        return self._link.publish(self._identity.topic(Channel.ANSWER), encode(answer))

    @property
    def figures(self) -> UplinkFigures:
        """What the link did since the start."""
        return replace(self._figures, in_flight=len(self._window))

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except EdgeError as error:
                _log.error("the uplink rests", reason=str(error))
                self._stop.wait(1.0)
            except Exception:  # noqa: BLE001 (the top of the thread)
                FAULTS.count(Place.UPLINK)
                _log.exception("the uplink failed and goes on")
                self._stop.wait(1.0)

    def _turn(self) -> None:
        events: list[Event] = []
        try:
            events.append(self._link.events.get(timeout=self._patience_s()))
            while len(events) < 1_000:
                events.append(self._link.events.get_nowait())
        except queue.Empty:
            pass
        acks: list[Ack] = []
        for event in events:
            self._take(event, acks)
        if acks:
            self._settle(acks)
        if self._figures.connected and not self._stop.is_set():
            self._send()

    def _take(self, event: Event, acks: list[Ack]) -> None:
        match event:
            case Connected():
                self._on_connected()
            case Disconnected():
                self._figures = replace(self._figures, connected=False, connected_since=None)
            case Delivery():
                self._on_delivery(event, acks)
            case Nudge():
                pass

    def _on_connected(self) -> None:
        _log.info("uplink connected", session=str(self._identity.session))
        self._figures = replace(
            self._figures,
            connected=True,
            connected_since=self._clock.told(),
            connections=self._figures.connections + 1,
        )
        status = self._status(PresenceState.ONLINE)
        self._link.publish(status.topic, status.payload, retain=True)
        self._window.reconnected()
        self._birth = _BirthState()
        self._more.set()

    def _on_delivery(self, delivery: Delivery, acks: list[Ack]) -> None:
        try:
            topic = parse(delivery.topic)
            if (topic.district, topic.node) != (self._identity.district, self._identity.node):
                raise UnknownTopic(delivery.topic)
            if topic.channel is Channel.ACK:
                ack = decode(delivery.payload, Ack)
                if ack.node != self._identity.node:
                    raise UnknownTopic(f"an acknowledgement for {ack.node}")
                acks.append(ack)
            else:
                self._commands.receive(topic.channel, delivery.payload)
        except WireError as error:
            self._figures = replace(self._figures, unreadable=self._figures.unreadable + 1)
            _log.warning("a message from above can't be read", topic=delivery.topic[:200], reason=str(error)[:300])

    def _settle(self, acks: list[Ack]) -> None:
        """The outbox first: only what it has let go leaves the window. What was answered as sent by an earlier session stays
        there: its number in this one has to arrive as well, or the cloud would miss it for ever.
        """
        outcomes = {result.id: (result.outcome, result.reason) for ack in acks for result in ack.results}
        births = self._birth.ids
        self._hear_the_time(acks)
        if any(birth in outcomes for birth in births):
            self._birth.data_may_go = True
            self._birth.answered = self._birth.answered or births[-1] in outcomes
        known = {key: value for key, value in outcomes.items() if key not in births}
        if known:
            self._outbox.settle(known)
        present = {each.id for ack in acks if ack.session in {None, self._identity.session} for each in ack.results}
        self._window.settle(known.keys() & present, self._monotonic())
        self._figures = replace(self._figures, acknowledged=self._figures.acknowledged + len(known))
        self._more.set()

    def _hear_the_time(self, acks: list[Ack]) -> None:
        """A birth is answered at once or not at all: its answer says what time it is in the cloud."""
        for ack in acks:
            for sent_at in [self._birth.sent_at[each.id] for each in ack.results if each.id in self._birth.sent_at]:
                self._clock.hear(sent_at, ack.sent_at, self._clock())

    # --- sending ------------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        """How long nothing will be due by itself."""
        if not self._figures.connected:
            return 5.0
        now_s = self._monotonic()
        waits = [1.0]
        due_s = self._window.next_due_s()
        if due_s is not None:
            waits.append(due_s - now_s)
        if self._more.is_set() and self._window.free and not self._birth_pending(now_s):
            waits.append(self._pause_s)
        return max(0.01, min(waits))

    def _send(self) -> None:
        now_s = self._monotonic()
        if now_s >= self._birth.due_s():
            self._send_birth(now_s)
        if self._birth_pending(now_s):
            return
        for entry in self._window.due(now_s):
            self._publish(entry)
            self._figures = replace(self._figures, resent=self._figures.resent + 1)
        if self._more.is_set():
            self._more.clear()
            self._pause_s = self._send_new(now_s)
            if self._pause_s < _NOTHING_LEFT:
                self._more.set()

    def _birth_pending(self, now_s: float) -> bool:
        """Whether data waits, so that the cloud knows its devices; not for ever, since a birth's answer can be lost."""
        if now_s - self._birth.first_sent_s >= BIRTH_PATIENCE_S:
            self._birth.data_may_go = True
        return not self._birth.data_may_go

    def _send_birth(self, now_s: float) -> None:
        """A birth is not kept: the next one says more. Its number is none of the lane's, where a lost one would leave a hole."""
        message_id = uuid7(int(self._clock().timestamp() * 1000))
        self._birth.ids = [*self._birth.ids[-9:], message_id]
        self._birth.sent_at = {message_id: self._clock()}
        self._birth.wanted = False
        self._birth.first_sent_s = min(self._birth.first_sent_s, now_s)
        self._birth.sent_s = now_s
        self._birth.answered = False
        envelope = Envelope(
            id=message_id,
            node=self._identity.node,
            session=self._identity.session,
            lane=Lane.LIVE,
            seq=next(self._birth_numbers),
            sent_at=self._clock.told(),
            body=self._birth_body(),
        )
        self._link.publish(self._identity.topic(Channel.BIRTH), encode(envelope))

    def _send_new(self, now_s: float) -> float:
        """Fill the window in the order of urgency; in how many seconds more may be sent comes back."""
        fresh_since = self._clock() - self._historical_after
        pauses_s = [_NOTHING_LEFT]
        for lane, old, pace in (
            (Lane.INCIDENT, False, None),
            (Lane.INCIDENT, True, self._old_incidents),
            (Lane.LIVE, False, None),
            (Lane.LIVE, True, self._history),
            (Lane.HISTORY, True, self._history),
        ):
            limit = min(self._window.free, AT_ONCE, AT_ONCE if pace is None else pace.available(now_s))
            if limit <= 0:
                pauses_s.append(0.0 if pace is None else pace.next_s())
                continue
            found = self._outbox.pending(lane, fresh_since=fresh_since, old=old, skip=self._window.rows, limit=limit)
            for record in found[:limit]:
                sent_as = Lane.HISTORY if old else lane
                self._publish(self._window.add(record, sent_as, self._sequences.next(sent_as), now_s))
            sent = min(limit, len(found))
            self._figures = replace(self._figures, sent=self._figures.sent + sent)
            if pace is not None:
                pace.take(sent)
            if sent == limit:
                pauses_s.append(0.0 if pace is None else pace.next_s())
        return min(pauses_s)

    def _publish(self, entry: InFlight) -> None:
        record = entry.record
        envelope = Envelope(
            id=record.message_id,
            node=self._identity.node,
            session=self._identity.session,
            lane=entry.lane,
            seq=entry.seq,
            sent_at=self._clock.told(),
            historical=self._is_historical(record),
            clock_correction_s=record.correction.total_seconds() if record.correction else msgspec.UNSET,
            body=msgspec.Raw(record.body),
        )
        try:
            payload = encode(envelope)
        except WireError as error:
            _log.error("a message can't be sent", channel=record.channel, reason=str(error))
            self._outbox.settle({record.message_id: (Outcome.REJECTED, error.reason)})
            self._window.settle([record.message_id], self._monotonic())
            return
        self._link.publish(self._identity.topic(Channel(record.channel)), payload)

    def _is_historical(self, record: OutboxRecord) -> bool:
        return record.replayed or self._clock() - record.accepted_at > self._historical_after

    def _status(self, state: PresenceState) -> Will:
        status = NodeStatus(
            node=self._identity.node, session=self._identity.session, state=state, at=self._clock.told()
        )
        return Will(self._identity.topic(Channel.STATUS), encode(status))
