"""The maps of e-bike piles that this program brings, and the stop reasons that several vendors share."""

from typing import Final

from edge.contract.safety import SafetyFault
from edge.settings.ebike_map import EbikeMap

PUBLIC_STOP_FAULTS: Final[dict[str, SafetyFault]] = {
    "6": SafetyFault.OVER_TEMPERATURE,
    "7": SafetyFault.POWER_ABNORMAL,
    "10": SafetyFault.INSULATION,
    "16": SafetyFault.SHORT_CIRCUIT,
    "21": SafetyFault.SMOKE,
    "29": SafetyFault.FUSE,
    "44": SafetyFault.OVER_CURRENT,
}
PUBLIC_STOP_WORDS: Final[dict[str, str]] = {"4": "unplugged", "25": "limit"}
"""Stop reasons that several vendors share in public documents: 4 unplugged, 6 overheat, 7 power abnormal, 10 leakage, 16 short
circuit, 21 smoke, 25 longest time reached, 29 fuse, 44 over-current.
"""

EBIKE_MAPS: Final[dict[str, EbikeMap]] = {
    "shedwatt": EbikeMap.model_validate(
        {
            "first_socket": 1,
            "messages": [
                {
                    "when": {"cmd": "status"},
                    "time": "ts",
                    "sockets": "ports",
                    "number": "no",
                    "values": {
                        "power_w": {"path": "p", "scale": 0.1},
                        "current_a": {"path": "i", "scale": 0.001},
                        "energy_wh": {"path": "e", "scale": 10.0},
                        "temperature_c": {"path": "t", "offset": -40.0},
                    },
                    "status": {
                        "path": "st",
                        "words": {
                            "0": "available",
                            "1": "charging",
                            "2": "finishing",
                            "3": "faulted",
                            "4": "unavailable",
                        },
                    },
                    "faults": {"path": "err", "codes": PUBLIC_STOP_FAULTS},
                    "charge": "order",
                },
                {
                    "when": {"cmd": "stopped"},
                    "time": "ts",
                    "number": "no",
                    "values": {"energy_wh": {"path": "e", "scale": 10.0}},
                    "stop": {
                        "path": "reason",
                        "codes": PUBLIC_STOP_FAULTS,
                        "words": PUBLIC_STOP_WORDS | {"1": "local"},
                    },
                },
                {
                    "when": {"cmd": "box"},
                    "time": "ts",
                    "values": {"temperature_c": {"path": "t", "offset": -40.0}},
                    "faults": {"path": "smoke", "codes": {"1": "smoke"}},
                },
            ],
            "stop": {
                "topic": "ebike/{id}/down",
                "payload": {"cmd": "stop", "no": "{socket}", "sn": "{order}"},
                "answer_when": {"cmd": "stop_ack"},
                "answer_order": "sn",
                "answer_result": "code",
                "accepted": ["0"],
            },
        }
    ),
    "plugrow": EbikeMap.model_validate(
        {
            "first_socket": 0,
            "messages": [
                {
                    "when": {"type": "socket"},
                    "time": "data.time",
                    "number": "data.index",
                    "values": {
                        "power_w": {"path": "data.watt"},
                        "voltage_v": {"path": "data.volt"},
                        "current_a": {"path": "data.amp"},
                        "charging_s": {"path": "data.minutes", "scale": 60.0},
                    },
                    "status": {
                        "path": "data.state",
                        "words": {"idle": "available", "plugged": "preparing", "busy": "charging", "error": "faulted"},
                    },
                    "faults": {
                        "path": "data.alarm",
                        "bits": True,
                        "codes": {
                            "0": "over_current",
                            "1": "over_temperature",
                            "2": "smoke",
                            "3": "insulation",
                            "4": "short_circuit",
                            "5": "contactor",
                        },
                    },
                },
                {
                    "when": {"type": "end"},
                    "time": "data.time",
                    "number": "data.index",
                    "stop": {
                        "path": "data.why",
                        "codes": {
                            "OVERLOAD": "over_current",
                            "OVERHEAT": "over_temperature",
                            "SMOKE": "smoke",
                            "LEAK": "insulation",
                            "SHORT": "short_circuit",
                            "FUSE": "fuse",
                        },
                        "words": {
                            "FULL": "full",
                            "UNPLUG": "unplugged",
                            "TIMEOUT": "limit",
                            "USER": "local",
                            "APP": "remote",
                        },
                    },
                },
            ],
            "stop": {
                "topic": "plugrow/{id}/set",
                "payload": {"type": "stop", "data": {"index": "{socket}", "ref": "{order}"}},
                "answer_when": {"type": "reply"},
                "answer_order": "data.ref",
                "answer_result": "data.ok",
                "accepted": ["true"],
            },
        }
    ),
}
"""Maps of two vendors that do not exist, as patterns: one that counts in small units and tells of all sockets at once, and one
that tells of each in words. A site writes the one of its own vendor beside them.
"""
