"""No address but a public host's is ever connected to, however it is spelt and whenever it turns up."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from fittingroom.crawl import Candidate, CrawlSettings, fetch
from fittingroom.crawl.http import addresses

PRIVATE = [
    "127.0.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.1",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "fe80::1",
    "fec0::1",
    "fd00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "::ffff:127.0.0.1", "::1"])
def test_every_spelling_of_loopback_is_refused(host: str) -> None:
    with pytest.raises(addresses.AddressRefused, match="expected a public address"):
        addresses.vet(host, 80, allow_loopback=False)


def test_leave_for_loopback_is_for_loopback_only(network) -> None:
    assert [str(a) for a in addresses.vet("127.0.0.1", 80, allow_loopback=True)] == ["127.0.0.1"]
    network.names["two.test"] = [["127.0.0.1", "10.0.0.1"]]
    with pytest.raises(addresses.AddressRefused):
        addresses.vet("two.test", 80, allow_loopback=True)


def test_one_private_address_among_public_ones_is_enough(network) -> None:
    network.names["mixed.test"] = [["93.184.216.34", "192.168.0.7"]]
    with pytest.raises(addresses.AddressRefused, match=r"192\.168\.0\.7"):
        addresses.vet("mixed.test", 443, allow_loopback=False)


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/a.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "https://192.168.0.1/a.jpg",
        "http://[fd00::1]/a.jpg",
        "http://[::ffff:10.0.0.1]/a.jpg",
        "http://167772161/a.jpg",
        "http://0xa000001/a.jpg",
        "//10.0.0.1/a.jpg",
        "http://inside.test/a.jpg",
    ],
)
def test_redirect_to_a_private_address_is_a_row_and_no_connection(
    target: str, shop, network, quick: CrawlSettings, tmp_path: Path
) -> None:
    network.names["inside.test"] = [["10.1.2.3"]]
    url = shop.redirect("/go.jpg", target)
    (row,) = fetch([Candidate(url)], tmp_path, quick)
    assert (row.status, row.reason) == ("skipped", "address")
    assert set(network.connected) == {"127.0.0.1"}


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://10.0.0.1/a", "gopher://127.0.0.1:70/", "javascript:1"])
def test_redirect_to_another_scheme_is_a_row(target: str, shop, quick: CrawlSettings, tmp_path: Path) -> None:
    (row,) = fetch([Candidate(shop.redirect("/go.jpg", target))], tmp_path, quick)
    assert (row.status, row.reason) == ("skipped", "scheme")


def test_a_name_that_changes_between_look_ups_gains_nothing(shop, network, quick, tmp_path: Path) -> None:
    """The address that was vetted is the address that is connected to: there is no second look-up in between."""
    network.names["turn.test"] = [["127.0.0.1"], ["10.0.0.5"]]
    shop.routes["/robots.txt"] = lambda handler: handler.answer(404, b"", Connection="close")
    (row,) = fetch([Candidate(f"http://turn.test:{shop.port}/a.jpg")], tmp_path, quick)
    assert (row.status, row.reason) == ("skipped", "address")
    assert "10.0.0.5" in row.detail
    assert network.connected == ["127.0.0.1"]
    assert shop.hits["/a.jpg"] == 0


def test_without_leave_this_machine_is_refused(shop, network, tmp_path: Path) -> None:
    (row,) = fetch([Candidate(shop.url + "/a.jpg")], tmp_path, CrawlSettings(per_host_delay=0))
    assert (row.status, row.reason, row.final_url) == ("skipped", "address", "")
    assert network.connected == []


def test_a_proxy_in_the_environment_is_not_used(shop, quick, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://10.0.0.9:3128")
    (row,) = fetch([Candidate(shop.url + "/a.jpg")], tmp_path, quick)
    assert row.reason == "not_found"
