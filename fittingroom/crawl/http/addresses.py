"""Which addresses the crawler may connect to, decided when a name is looked up and enforced where the socket is made.

A page's author chooses the URLs we fetch, so a URL may point at this machine, the local network or a cloud's metadata
service, directly, by a redirect, or by a name that resolves to one thing when checked and another when used. Here the
check and the connection share one look-up: the socket is opened to the very address that was vetted.
"""

from __future__ import annotations

import ipaddress
import socket

from fittingroom.errors import InputError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CLOUD = frozenset({"168.63.129.16", "100.100.100.200", "fd00:ec2::254", "169.254.169.254"})
"""Addresses of cloud platforms' own services, some of which are public by number."""


class AddressRefused(InputError):
    """An address the crawler does not connect to."""


def look_up(host: str, port: int) -> list[IPAddress]:
    """Every address of ``host``, in the resolver's order. The only place of the crawler that resolves a name.

    Raises:
        OSError: the name does not resolve.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def open_socket(address: IPAddress, port: int, timeout: float | None) -> socket.socket:
    """Connect. The only place of the crawler that does.

    Raises:
        OSError: no connection.
    """
    return socket.create_connection((str(address), port), timeout)


def is_public(address: IPAddress) -> bool:
    """Whether ``address`` is an ordinary public host's, IPv4 addresses wrapped in IPv6 ones included."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and (address in _NAT64 or int(address) >> 32 == 0):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and int(address) > 1:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and str(address) not in _CLOUD


def vet(host: str, port: int, *, allow_loopback: bool) -> list[IPAddress]:
    """The addresses of ``host``, when all may be connected to.

    All, not some: a name with one public and one private address is an attack or a mistake.

    Raises:
        AddressRefused: one of them may not. OSError: the name does not resolve.
    """
    addresses = look_up(host, port)
    if not addresses:
        raise OSError(f"{host} has no address")
    for address in addresses:
        if not is_public(address) and not (allow_loopback and address.is_loopback):
            raise AddressRefused(f"{host}: expected a public address, got {address}")
    return addresses
