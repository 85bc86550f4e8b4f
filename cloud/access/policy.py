"""How long to wait after wrong passwords. Pure."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

FORGET_AFTER = timedelta(hours=1)
_LONGEST_S = 900


@dataclass(frozen=True, slots=True)
class Allowance:
    """Attempts that are free; each further one doubles the wait, up to a quarter of an hour."""

    free: int

    def wait_s(self, failures: int) -> int:
        """Seconds from the last attempt to the next one, after so many failures in a row."""
        beyond = failures - self.free
        return 0 if beyond < 0 else min(1 << min(beyond, 20), _LONGEST_S)


PER_ACCOUNT_AND_ADDRESS = Allowance(free=5)
PER_ADDRESS = Allowance(free=30)
PER_ACCOUNT = Allowance(free=100)
"""Against many addresses together. It does not count where the account has signed in before: whoever keeps a name busy from
elsewhere must not shut its owner out."""


def subjects(name: str, network: str, *, is_familiar: bool) -> dict[str, Allowance]:
    """What an attempt counts against. `is_familiar`: the account has signed in from this network of late."""
    found = {
        pair_subject(name, network): PER_ACCOUNT_AND_ADDRESS,
        address_subject(network): PER_ADDRESS,
    }
    return found if is_familiar else found | {account_subject(name): PER_ACCOUNT}


def account_subject(name: str) -> str:
    """An account, from wherever it is not known."""
    return f"account:{name}"


def address_subject(network: str) -> str:
    """An address, whatever name it tries."""
    return f"address:{network}"


def key_subject(network: str) -> str:
    """Wrong API keys from an address: apart from passwords, so that no machine shuts out the people beside it."""
    return f"api-key:{network}"


def pair_subject(name: str, network: str) -> str:
    """An account from one address."""
    return f"account:{name}@{network}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an attempt may be made: seconds left to wait, and if none the failures to note before the password is looked at."""

    wait_s: int
    failures: dict[str, int]


def judge(
    allowances: Mapping[str, Allowance], standing: Mapping[str, tuple[int, datetime]], now: datetime
) -> Judgement:
    """The attempt against each subject; `standing` holds failures and the time of the last one."""
    failures, wait_s = {}, 0
    for subject, allowance in allowances.items():
        count, last_at = standing.get(subject, (0, now))
        count = remaining_failures(count, last_at, now)
        wait_s = max(wait_s, wait_left_s(allowance, count, last_at, now))
        failures[subject] = count + 1
    return Judgement(wait_s, failures)


def remaining_failures(failures: int, last_at: datetime, now: datetime) -> int:
    """Failures that still count: an hour of rest wipes them."""
    return 0 if now - last_at >= FORGET_AFTER else failures


def wait_left_s(allowance: Allowance, failures: int, last_at: datetime, now: datetime) -> int:
    """Whole seconds left to wait, 0 when an attempt may be made. A clock that was set back makes nobody wait longer."""
    wait = timedelta(seconds=allowance.wait_s(failures))
    left = min(last_at + wait - now, wait)
    return max(0, -(-left // timedelta(seconds=1)))


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64 that each customer has to himself; any other word as it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), 64), strict=False))
