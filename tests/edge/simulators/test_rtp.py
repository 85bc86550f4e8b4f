from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from edge.simulators import rtp
from edge.simulators.codec import Codec

NALS = st.lists(
    st.builds(lambda head, body: bytes([head]) + body, st.integers(1, 23), st.binary(min_size=1, max_size=6_000)),
    min_size=1,
    max_size=4,
)


def reassemble(packets: list[bytes]) -> list[bytes]:
    """RFC 6184 §5.6 and §5.8, read back."""
    nals: list[bytes] = []
    for packet in packets:
        payload = packet[12:]
        if payload[0] & 31 != 28:
            nals.append(payload)
        elif payload[1] & 0x80:
            nals.append(bytes([payload[0] & 0xE0 | payload[1] & 31]) + payload[2:])
        else:
            nals[-1] += payload[2:]
    return nals


@given(NALS, st.integers(0, 0xFFFF), st.integers(0, 1 << 40))
def test_units_survive_their_packets(nals: list[bytes], sequence: int, timestamp: int) -> None:
    packets = list(rtp.packetise(nals, sequence=sequence, timestamp=timestamp, ssrc=7))
    assert reassemble(packets) == nals
    assert all(len(packet) <= 1_412 for packet in packets)
    assert [packet[1] >> 7 for packet in packets] == [0] * (len(packets) - 1) + [1]
    assert [int.from_bytes(packet[2:4], "big") for packet in packets] == [
        (sequence + index) & 0xFFFF for index in range(len(packets))
    ]
    assert {int.from_bytes(packet[4:8], "big") for packet in packets} == {timestamp & 0xFFFFFFFF}


@given(
    st.lists(
        st.builds(
            lambda kind, rest, body: bytes([kind << 1, rest]) + body,
            st.integers(0, 40),
            st.integers(0, 255),
            st.binary(min_size=1, max_size=6_000),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_units_of_h265_survive_their_packets(nals: list[bytes]) -> None:
    packets = list(rtp.packetise(nals, sequence=0, timestamp=0, ssrc=7, codec=Codec.H265))
    found: list[bytes] = []
    for packet in packets:  # RFC 7798 §4.4.1 and §4.4.3, read back
        payload = packet[12:]
        if payload[0] >> 1 & 63 != 49:
            found.append(payload)
        elif payload[2] & 0x80:
            found.append(bytes([payload[0] & 0x81 | (payload[2] & 63) << 1, payload[1]]) + payload[3:])
        else:
            found[-1] += payload[3:]
    assert found == nals
    assert all(len(packet) <= 1_412 for packet in packets)


def test_a_report_says_the_time_of_day() -> None:
    at = datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    report = rtp.sender_report(at=at, timestamp=90_000, ssrc=7, packets=1, octets=2)
    assert len(report) == 28
    seconds = int.from_bytes(report[8:12], "big") - 2_208_988_800
    assert (seconds, int.from_bytes(report[12:16], "big") >> 31) == (int(at.timestamp()), 1)


def test_a_packet_is_framed_for_the_connection() -> None:
    assert rtp.interleaved(2, b"abc") == b"$\x02\x00\x03abc"
