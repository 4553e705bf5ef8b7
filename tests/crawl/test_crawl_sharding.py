"""Shards of addresses: whole hosts, stable, and one new address changes one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fittingroom.crawl import Candidate, plan_fetches


def candidates(hosts: dict[str, int]) -> list[Candidate]:
    return [Candidate(f"https://{host}/{number}.jpg") for host, count in hosts.items() for number in range(count)]


def test_every_address_once_and_no_small_host_split() -> None:
    found = candidates({"large.example": 1000} | {f"h{number}.example": 7 for number in range(60)})
    shards = plan_fetches([*found, Candidate("/captured/a.jpg")], size=100)
    assert sorted(name for shard in shards for name in shard.names) == sorted(
        [c.url for c in found] + ["/captured/a.jpg"]
    )
    homes = Counter(host for shard in shards for host in {Candidate(name).host for name in shard.names})
    assert homes.pop("large.example") > 4
    assert set(homes.values()) == {1}
    assert {shard.names for shard in shards if shard.label == "files"} == {("/captured/a.jpg",)}
    assert max(len(shard.names) for shard in shards) < 200


def test_order_does_not_matter_and_one_more_changes_one_shard() -> None:
    found = candidates({"large.example": 500, "b.example": 3})
    before = {shard.digest for shard in plan_fetches(found, size=100)}
    assert {shard.digest for shard in plan_fetches(found[::-1], size=100)} == before
    after = {shard.digest for shard in plan_fetches([*found, Candidate("https://large.example/new.jpg")], size=100)}
    assert len(after - before) == 1


def test_a_file_that_changed_and_kept_its_name_changes_its_shard() -> None:
    files = [Candidate(f"/captured/{number}.jpg") for number in range(300)]
    bytes_of = {Path(one.url): one.url for one in files}
    before = {shard.digest for shard in plan_fetches(files, digest_of=bytes_of.__getitem__)}
    assert {shard.digest for shard in plan_fetches(files, digest_of=bytes_of.__getitem__)} == before
    bytes_of[Path("/captured/7.jpg")] = "other"
    assert 1 <= len({shard.digest for shard in plan_fetches(files, digest_of=bytes_of.__getitem__)} - before) <= 2
