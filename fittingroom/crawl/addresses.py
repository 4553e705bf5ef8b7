"""Which addresses the crawler may connect to, decided when a name is looked up and enforced where the socket is made.

A page's author chooses the URLs we fetch, so a URL may point at this machine, the local network or a cloud's metadata
service, directly, by a redirect, or by a name that resolves to one thing when checked and another when used. Here the
check and the connection share one look-up: the socket is opened to the very address that was vetted.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager

from fittingroom.crawl.deadline import watch
from fittingroom.errors import InputError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_INTERIM = 20
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


class _FinalAnswer(http.client.HTTPResponse):
    """Passes interim answers over (102 Processing, 103 Early Hints), as the standard library does 100 only."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in its published types
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine("only interim answers")


class _Vetted(HTTPConnection):
    """An HTTP connection whose socket goes only to a vetted address, under the deadline of the running request."""

    response_class = _FinalAnswer
    allow_loopback = False

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            addresses = vet(self._dns_host, self.port or self.default_port, allow_loopback=self.allow_loopback)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        last: OSError | None = None
        for address in addresses:
            try:
                sock = open_socket(address, self.port or self.default_port, timeout)
            except OSError as error:
                last = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            watch(sock)
            return sock
        if isinstance(last, TimeoutError):
            raise ConnectTimeoutError(self, f"connection to {self.host} timed out") from last
        raise NewConnectionError(self, f"no connection: {last}") from last

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # a connection kept from an earlier request comes under this request's deadline
            watch(self.sock)
        super().request(*args, **kwargs)


class _VettedTLS(_Vetted, HTTPSConnection):
    """The same under TLS; the certificate is checked against the host's name as ever."""


class VettingAdapter(HTTPAdapter):
    """A requests adapter whose every connection is vetted; proxies are not used, for they would hide the address."""

    def __init__(self, *, allow_loopback: bool, pool_size: int) -> None:
        self._allow_loopback = allow_loopback
        super().__init__(pool_connections=64, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        """Called by requests: a pool manager whose pools make vetted connections."""
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        marks = {"allow_loopback": self._allow_loopback}
        plain = type("VettedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": type("Vetted", (_Vetted,), marks)})
        tls = type(
            "VettedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": type("VettedTLS", (_VettedTLS,), marks)}
        )
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": plain, "https": tls}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:  # noqa: ARG002
        """Refused.

        Raises:
            AddressRefused: always.
        """
        raise AddressRefused("the crawler does not go through a proxy")
