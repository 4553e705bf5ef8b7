"""What the crawler uses of the insides of urllib3 is there in the version that is installed, and does what we need."""

from __future__ import annotations

import http.client
import inspect
import socket
import threading

import pytest
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from fittingroom.crawl.http import addresses
from fittingroom.crawl.http.connections import vetted_pools
from fittingroom.crawl.http.deadline import limit


def test_the_insides_that_are_used_are_there() -> None:
    for kind in (HTTPConnection, HTTPSConnection):
        assert "self._new_conn()" in inspect.getsource(kind.connect), "the socket comes from there, and only from there"
        assert list(inspect.signature(kind._new_conn).parameters) == ["self"]
    assert HTTPConnection("a.example.")._dns_host == "a.example."
    assert "_read_status()" in inspect.getsource(http.client.HTTPResponse.begin)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_each_connection_is_vetted(network, scheme: str) -> None:
    network.names["inside.example"] = [["10.0.0.7"]]
    pools = vetted_pools(allow_loopback=True, pool_size=1)
    with pytest.raises(addresses.AddressRefused, match=r"expected a public address, got 10\.0\.0\.7"):
        pools.request("GET", f"{scheme}://inside.example/", retries=False)
    assert network.looked_up == ["inside.example"]
    assert network.connected == []


def test_certificates_are_asked_for() -> None:
    pool = vetted_pools(allow_loopback=False, pool_size=1).connection_from_url("https://a.example/")
    assert isinstance(pool, HTTPSConnectionPool)
    assert pool.cert_reqs == "CERT_REQUIRED"
    assert pool.ca_certs


def test_interim_answers_are_passed_over_and_a_connection_is_kept(network) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for answer in (early + early + whole, whole):
                connection.recv(65_536)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    pools = vetted_pools(allow_loopback=True, pool_size=1)
    with limit(10):
        for _ in range(2):
            response = pools.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", retries=False)
            assert (response.status, response.data) == (200, b"ok")
    listener.close()
    assert network.connected == ["127.0.0.1"]
