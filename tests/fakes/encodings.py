"""The encodings in which footage is tried: as it is, with few bits, with noise, at night gain."""

from collections.abc import Mapping

from edge.simulators.encoding import CONSTANT_RATE, Encoding, changed, write_encoded, write_pictures

__all__ = ["ENCODINGS", "Encoding", "changed", "write_encoded", "write_pictures"]

ENCODINGS: Mapping[str, Encoding] = {
    "as-it-is": Encoding(None, {"crf": "18"}),
    "cbr-low": Encoding(0.05, CONSTANT_RATE),
    "vbr-low": Encoding(0.025),
    "noisy": Encoding(None, {"crf": "23"}, noise=12.0),
    "noisy-cbr": Encoding(0.1, CONSTANT_RATE, noise=12.0),
    "night-gain": Encoding(None, {"crf": "28"}, noise=16.0, gain=0.4),
}
"""Name → encoding. At 768×432 and ten pictures a second 0.05 bits per pixel are 166 kbit/s. Variable rates may double for a second."""
