"""urllib3 with connections that go to vetted addresses only, under the deadline of the request that makes them.

All that is used here of the insides of urllib3 (2.2 to 2.x) and of the standard library's ``http.client`` (3.11 to
3.14), which their documentations do not promise: ``HTTPConnection._new_conn`` makes the socket, to ``_dns_host``;
``HTTPResponse._read_status`` reads a status line; ``PoolManager.pool_classes_by_scheme`` chooses the pools.
`tests/crawl/test_crawl_connections.py` holds them to it.
"""

from __future__ import annotations

import http.client
import socket
from typing import Any

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from fittingroom.crawl.http import addresses
from fittingroom.crawl.http.deadline import watch

_MOST_INTERIM = 20


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
    response_class = _FinalAnswer
    allow_loopback = False

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        port = self.port or self.default_port
        try:
            found = addresses.vet(self._dns_host, port, allow_loopback=self.allow_loopback)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        last: OSError | None = None
        for address in found:
            try:
                sock = addresses.open_socket(address, port, timeout)
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


def vetted_pools(*, allow_loopback: bool, pool_size: int) -> urllib3.PoolManager:
    """Pools of vetted connections, ``pool_size`` kept a host. Without proxies, which would hide the address."""
    manager = urllib3.PoolManager(64, maxsize=pool_size, cert_reqs="CERT_REQUIRED", ca_certs=DEFAULT_CA_BUNDLE_PATH)
    manager.pool_classes_by_scheme = {
        scheme: type("VettedPool", (pool,), {"ConnectionCls": type("Vetted", (connection,), marks)})
        for marks in ({"allow_loopback": allow_loopback},)
        for scheme, pool, connection in (
            ("http", urllib3.HTTPConnectionPool, _Vetted),
            ("https", urllib3.HTTPSConnectionPool, _VettedTLS),
        )
    }
    return manager
