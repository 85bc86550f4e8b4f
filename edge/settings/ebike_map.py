"""What a vendor's map of an e-bike pile can say: the kinds of its messages, and how a charge is stopped."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from edge.contract.safety import SafetyFault
from edge.settings.fields import Strict

Path = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,200}$")]
"""Into a JSON message: `a.b.0`."""

Topic = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f+#]{1,500}$")]
Code = Annotated[str, Field(min_length=1, max_length=100)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]

Status = Literal[
    "available", "preparing", "charging", "suspended", "finishing", "reserved", "unavailable", "faulted", "offline"
]
Quantity = Literal["power_w", "current_a", "voltage_v", "energy_wh", "temperature_c", "charging_s"]

RANGES: Final[dict[Quantity, tuple[str, float, float]]] = {
    "power_w": ("W", 0.0, 10_000.0),
    "current_a": ("A", 0.0, 100.0),
    "voltage_v": ("V", 0.0, 500.0),
    "energy_wh": ("Wh", 0.0, 1e7),
    "temperature_c": ("°C", -40.0, 200.0),
    "charging_s": ("s", 0.0, 7 * 86_400.0),
}


class EbikeValue(Strict):
    """A measured value: what stands at `path`, times `scale`, plus `offset`. Texts that hold a number are numbers."""

    path: Path
    scale: Finite = 1.0
    offset: Finite = 0.0


class EbikeCodes(Strict):
    """Fault codes at `path`: one code or a list of them, or a number whose `bits` (from 0) are faults. What `quiet` names is no fault, what
    `codes` does not name is `other`.
    """

    path: Path
    codes: Annotated[dict[Code, SafetyFault], Field(max_length=500)]
    quiet: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=50)] = ("0", "", "none", "ok")
    bits: bool = False


class EbikeStop(Strict):
    """Why a charge ended: the code at `path`, with the faults that `codes` names and the plain ends that `words` names."""

    path: Path
    codes: Annotated[dict[Code, SafetyFault], Field(max_length=500)]
    words: Annotated[dict[Code, Word], Field(max_length=500)] = Field(default_factory=dict)


class EbikeStatus(Strict):
    """The state of a socket: the vendor's word at `path`, and what it means. An unknown one is `unavailable`."""

    path: Path
    words: Annotated[dict[Code, Status], Field(min_length=1, max_length=100)]


class EbikeMessage(Strict):
    """One kind of message. `when` tells it from others: each path holds that code. `sockets` leads to the list of sockets, where one message
    tells of several; `number` (in an item of it) says which socket it is, and is left out where the place in the list does. A message
    with neither is about the pile itself.

    `charge` is the name of the present charge; a `stop` is an occurrence, so the message should be one that is sent once.
    """

    when: Annotated[dict[Path, Code], Field(max_length=10)] = Field(default_factory=dict)
    time: Path | None = None
    sockets: Path | None = None
    number: Path | None = None
    values: Annotated[dict[Quantity, EbikeValue], Field(max_length=20)] = Field(default_factory=dict)
    status: EbikeStatus | None = None
    faults: EbikeCodes | None = None
    stop: EbikeStop | None = None
    charge: Path | None = None

    @property
    def is_of_sockets(self) -> bool:
        """Whether it tells of sockets, not of the pile."""
        return self.sockets is not None or self.number is not None


class EbikeOrder(Strict):
    """How a charge is stopped: a JSON `payload` on `topic`. A text in it that is exactly `{socket}` becomes the vendor's number of the socket,
    `{order}` a name of this order; `{id}` in the topic becomes the pile's id. What the pile answers to it is told by `answer`: under
    these paths it holds these codes, with the order's name under `order` where it repeats that. Where it does not, sockets are stopped one
    after the other, as nothing says which order an answer belongs to.
    """

    topic: Topic
    payload: dict[str, JsonValue]
    answer_when: Annotated[dict[Path, Code], Field(max_length=10)] = Field(default_factory=dict)
    answer_order: Path | None = None
    answer_result: Path | None = None
    accepted: Annotated[tuple[Code, ...], Field(max_length=20)] = ("0",)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.answer_result is not None and not self.answer_when and self.answer_order is None:
            raise ValueError("an answer has to be told from other messages: by `answer_when` or `answer_order`")
        return self


class EbikeMap(Strict):
    """What a vendor's messages mean. `first_socket` is the vendor's number of the first one; here they count from 1."""

    first_socket: Literal[0, 1] = 1
    messages: Annotated[tuple[EbikeMessage, ...], Field(min_length=1, max_length=20)]
    stop: EbikeOrder | None = None
