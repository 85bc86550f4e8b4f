"""What a device can be asked to do (设备指令): the arguments of the command `device_action`, and what comes back.

That a device agrees says nothing of what it does: a meter, a state or a new start tells that.
"""

from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from edge.contract.fields import Instant, Sha256, require_possible

MOST_CONNECTORS: Final = 64
LONGEST_URL: Final = 512


class DeviceAction(StrEnum):
    """What a device can be asked to do; which of them, its protocol and its profile say."""

    STOP_CHARGE = "stop_charge"
    """停止充电"""
    RESET = "reset"
    CHANGE_CONFIGURATION = "change_configuration"
    READ_CONFIGURATION = "read_configuration"
    UPDATE_FIRMWARE = "update_firmware"
    TRIGGER_MESSAGE = "trigger_message"
    SET_CLOCK = "set_clock"


Connector = Annotated[int, Meta(ge=1, le=MOST_CONNECTORS)]
Key = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,50}$(?!\n)")]
Setting = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{0,500}$(?!\n)")]
Url = Annotated[str, Meta(pattern=r"^(?:https?|ftps?|sftp)://[\x21-\x7e]{1,500}$(?!\n)", max_length=LONGEST_URL)]


class ResetKind(StrEnum):
    """How a device starts anew: after it has ended what it does, or at once."""

    SOFT = "soft"
    HARD = "hard"


class Trigger(StrEnum):
    """What a device shall tell now, though nothing has changed."""

    BOOT_NOTIFICATION = "boot_notification"
    DIAGNOSTICS_STATUS = "diagnostics_status"
    FIRMWARE_STATUS = "firmware_status"
    HEARTBEAT = "heartbeat"
    METER_VALUES = "meter_values"
    STATUS = "status"


class NoArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of actions that say everything by their name."""


class ResetArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Start anew."""

    kind: ResetKind = ResetKind.SOFT


class ChangeConfigurationArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set one key of the device's own configuration."""

    key: Key
    value: Setting


class ReadConfigurationArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read keys of the device's own configuration; without any all of them."""

    keys: Annotated[tuple[Key, ...], Meta(max_length=50)] = ()


class UpdateFirmwareArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fetch and install a firmware from `location`, from `retrieve_at` on (at once, where nothing is said). `version` is what the device
    shall announce afterwards, `sha256` that of the file, for those who compare: the device knows of neither.
    """

    location: Url
    retrieve_at: Instant | None = None
    version: Annotated[str, Meta(max_length=50)] | None = None
    sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.retrieve_at)


class TriggerMessageArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have the device tell something now."""

    message: Trigger


Arguments = (
    NoArguments
    | ResetArguments
    | ChangeConfigurationArguments
    | ReadConfigurationArguments
    | UpdateFirmwareArguments
    | TriggerMessageArguments
)

ARGUMENTS: Final[dict[DeviceAction, type[Struct]]] = {
    DeviceAction.STOP_CHARGE: NoArguments,
    DeviceAction.RESET: ResetArguments,
    DeviceAction.CHANGE_CONFIGURATION: ChangeConfigurationArguments,
    DeviceAction.READ_CONFIGURATION: ReadConfigurationArguments,
    DeviceAction.UPDATE_FIRMWARE: UpdateFirmwareArguments,
    DeviceAction.TRIGGER_MESSAGE: TriggerMessageArguments,
    DeviceAction.SET_CLOCK: NoArguments,
}
"""What each action takes."""


class DeviceActionArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of the command. `arguments` are those of the action, see `ARGUMENTS`; without a `connector` the device itself is
    meant, or the one that is charging.
    """

    action: DeviceAction
    connector: Connector | None = None
    arguments: dict[str, Any] = {}


class DeviceActionResult(Struct, frozen=True, kw_only=True):
    """What the device answered, in its own words."""

    action: DeviceAction
    answer: dict[str, Any] = {}
