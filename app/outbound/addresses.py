"""Which addresses may be called (SEC-083). Pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = ("127.0.0.0/8", "::1/128")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""What IANA gives out of IPv6; everything beside it is special or belongs to nobody."""

_SPECIAL = tuple(
    ipaddress.ip_network(one)
    for one in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
"""IANA's special-purpose and multicast ranges that are not reachable from everywhere.

Python has a table of its own, which differs from release to release. Within two of the ranges
(192.0.0.0/24, 2001::/23) a few addresses of protocols are reachable; no server stands there.
"""

_IPV4 = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be called: the public internet, and some networks beside it.

    Attributes:
        allowed: Networks inside one's own that may be called as well, over plain http too.
    """

    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, networks: Iterable[str], *, local: bool = False) -> Self:
        """Read networks; *local* adds this machine."""
        named = [*networks, *(LOOPBACK if local else ())]
        return cls(tuple(ipaddress.ip_network(one) for one in named))

    def permits(self, address: str, *, plain: bool = False) -> bool:
        """Say whether an address may be called; without TLS (*plain*) only an allowed one may."""
        try:
            meant = _meant(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        is_allowed = any(meant in network for network in self.allowed)
        return is_allowed or (not plain and _is_public(meant))

    def choose(self, addresses: Sequence[str], *, plain: bool = False) -> str | None:
        """Choose one of a name's addresses, if every one of them may be called."""
        if not all(self.permits(one, plain=plain) for one in addresses):
            return None
        return next(iter(addresses), None)


ANYWHERE = Reach.of(["0.0.0.0/0", "::/0"])


def _meant(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 one stands for, where it stands for one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & _IPV4)
    return address


def _is_public(address: Address) -> bool:
    """Say whether an address belongs to the public internet, and leads through no tunnel."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return not any(address in network for network in _SPECIAL)
