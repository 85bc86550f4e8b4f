"""The one door to pymodbus: one connection to one gateway, one question at a time."""

import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from edge.settings.modbus import RegisterTable
from edge.sources.modbus_registers import Block

LARGEST_BUFFER_BYTES: Final = 4_096
"""An answer takes 260 bytes at most; what floods is hung up on."""

_NOBODY_THERE: Final = frozenset({0x0A, 0x0B})
"""Gateway path unavailable, gateway target device failed to respond: the gateway's word for a silent device."""

_FUNCTIONS: Final[Mapping[RegisterTable, int]] = MappingProxyType(
    {RegisterTable.COIL: 1, RegisterTable.DISCRETE: 2, RegisterTable.HOLDING: 3, RegisterTable.INPUT: 4}
)

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # each failure is told once, by who asked


class Failure(StrEnum):
    """Why a read brought nothing."""

    UNREACHABLE = "unreachable"
    """There is no connection to the gateway."""
    SILENT = "silent"
    """The gateway or the device behind it did not answer in time."""
    REFUSED = "refused"
    """The device answered that it does not have this, or can't tell it now."""
    MALFORMED = "malformed"
    """What came is no answer to the question."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A read that brought nothing, with the device's own exception code where it gave one."""

    failure: Failure
    reason: str
    code: int | None = None


Held = tuple[int, ...]


class _FloodedError(ModbusException):
    """More came than an answer can be."""


class ModbusLink:
    """Connects at the first read; after whatever went wrong with a read the connection is made anew, so that a late answer is never taken for
    that of the next question. For one thread, but for `abort`.
    """

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._client: Any = ModbusTcpClient(  # its methods are typed in part only
            host,
            port=port,
            timeout=timeout_s,
            retries=0,
            trace_packet=self._watch,
        )
        self.timeout_s = timeout_s
        self._address = f"{host}:{port}"

    def connect(self) -> bool:
        """Whether there is a connection; makes one within the time-out where there is none."""
        return bool(self._client.connect())

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def abort(self) -> None:
        """From another thread: a read that waits ends now."""
        connection = self._client.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def read(self, unit: int, block: Block) -> Held | Failed:
        """What stands in the block's registers or bits, one number for each; raises nothing whatever comes."""
        ask = self._questions()[block.table]
        try:
            answer: ModbusPDU = ask(block.address, count=block.count, device_id=unit)
        except ConnectionException as error:
            failed = Failed(Failure.UNREACHABLE, f"{self._address}: {error.string}")
        except _FloodedError as error:
            failed = Failed(Failure.MALFORMED, error.string)
        except ModbusException as error:
            failed = Failed(Failure.MALFORMED if "decode" in error.string else Failure.SILENT, error.string)
        except OSError as error:
            failed = Failed(Failure.UNREACHABLE, f"{self._address}: {error.strerror or type(error).__name__}")
        except (ValueError, IndexError, struct.error, AttributeError) as error:
            # what an answer that is none does to the library, and a socket that went away under it
            failed = Failed(Failure.MALFORMED, f"{type(error).__name__}: {error}")
        else:
            return self._held(answer, block)
        self.close()
        return failed

    def _questions(self) -> Mapping[RegisterTable, Callable[..., ModbusPDU]]:
        client = self._client
        return {
            RegisterTable.HOLDING: client.read_holding_registers,
            RegisterTable.INPUT: client.read_input_registers,
            RegisterTable.COIL: client.read_coils,
            RegisterTable.DISCRETE: client.read_discrete_inputs,
        }

    def _held(self, answer: ModbusPDU, block: Block) -> Held | Failed:
        if isinstance(answer, ExceptionResponse):
            code = answer.exception_code
            failure = Failure.SILENT if code in _NOBODY_THERE else Failure.REFUSED
            return Failed(failure, f"exception code {code}", code)
        held: Any = answer.bits if block.table.of_bits else answer.registers
        exact = block.count if not block.table.of_bits else -(-block.count // 8) * 8
        if len(held) != exact or answer.function_code != _FUNCTIONS[block.table]:
            self.close()
            return Failed(Failure.MALFORMED, f"{len(held)} values came where {block.count} were asked for")
        return tuple(int(value) for value in held[: block.count])

    def _watch(self, sending: bool, data: bytes) -> bytes:
        if not sending and len(data) > LARGEST_BUFFER_BYTES:
            raise _FloodedError(f"{len(data)} bytes came that hold no answer")
        return data
