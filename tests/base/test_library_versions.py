"""What we use of the insides of libraries holds for the versions that are installed, and does what we need of it."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.version import Version
from torchvision.ops import MultiScaleRoIAlign

SEEN = {
    "accelerate": ("1.10", "1.15", "fittingroom/training/accelerators.py"),
    "prefect": ("3.8.0", "3.8.8", "deployments/prefect_insides.py"),
    "torchvision": ("0.26", "0.29", "fittingroom/segmentation/detector_parts.py (and torchvision_import.py)"),
    "urllib3": ("2.2", "2.8", "fittingroom/crawl/http/connections.py"),
}
"""The first and the last version that each module was read and run for, and the module."""


@pytest.mark.parametrize("library", SEEN)
def test_the_version_is_one_that_was_seen(library: str) -> None:
    first, last, module = SEEN[library]
    found = Version(version(library))
    within = Version(first) <= found and found.release[: len(Version(last).release)] <= Version(last).release
    assert within, (
        f"{library}: expected {first} to {last}, got {found}; compare what {module} says it uses of {library} with the "
        f"new version, run the tests of that module, and write the version here"
    )


def test_a_second_training_may_choose_another_precision() -> None:
    from fittingroom.training.accelerators import new_accelerator

    cpu = torch.device("cpu")
    assert [new_accelerator(cpu, precision).mixed_precision for precision in ("bf16", "no")] == ["bf16", "no"]


def test_a_client_that_counts_as_connected_tries_again() -> None:
    from prefect.client import base

    from deployments.prefect_insides import count_as_connected

    for kind in (base.PrefectHttpxSyncClient, base.PrefectHttpxAsyncClient):
        client = kind()
        before = dict(vars(client))
        count_as_connected(client)
        changed = {name for name, value in vars(client).items() if before.get(name, ...) is not value}
        assert changed == {"_has_connected"}, "the name that Prefect's own __init__ gave it"
        assert "if self._has_connected:" in inspect.getsource(inspect.unwrap(kind.send))


def test_a_runner_keeps_its_code_where_it_is_told_and_ends_as_it_is_told(tmp_path: Path) -> None:
    from prefect.runner import Runner

    from deployments.prefect_insides import end_by, keep_code_in

    runner, ended = Runner(pause_on_shutdown=False), []
    assert {"_tmp_dir"} <= vars(runner).keys()
    keep_code_in(runner, tmp_path / "code")
    assert "self._tmp_dir.mkdir(" in inspect.getsource(Runner.__aenter__), "made when it starts, not before"
    end_by(runner, lambda: ended.append("ended"))
    runner.handle_sigterm(15, None)
    assert ended == ["ended"]
    assert "signal.signal(signal.SIGTERM, self.handle_sigterm)" in inspect.getsource(Runner.start)


def test_what_waits_to_be_sent_is_dropped() -> None:
    from prefect.events.clients import NullEventsClient
    from prefect.events.worker import EventsWorker

    from deployments.prefect_insides import drop_unsent

    kind: Any = EventsWorker
    waiting = kind(NullEventsClient, ())
    kind._instances[1] = waiting
    try:
        waiting._queue.put("an event")
        drop_unsent()
        assert waiting._queue.empty()
    finally:
        del kind._instances[1]
    assert "self._queue_get_thread.submit(\n                create_call(self._queue.get)" in inspect.getsource(
        EventsWorker._main_loop
    )


def test_a_batch_is_normalized_and_padded_and_never_resized() -> None:
    from fittingroom.segmentation.detector_parts import AsGiven

    transform = AsGiven(8, 16, image_mean=[0.5] * 3, image_std=[0.25] * 3)
    photos = [torch.full((3, 40, 20), 1.0), torch.zeros(3, 10, 33)]
    target = {"boxes": torch.tensor([[1.0, 2.0, 3.0, 4.0]])}
    for training in (True, False):
        batch, targets = transform.train(training)(photos, [target, target])
        assert batch.image_sizes == [(40, 20), (10, 33)]
        assert batch.tensors.shape == (2, 3, 64, 64)
        assert (batch.tensors[0, :, :40, :20] == 2.0).all()
        assert (batch.tensors[1, :, :10, :33] == -2.0).all()
        assert batch.tensors[0, :, 40:].abs().sum() == batch.tensors[1, :, :, 33:].abs().sum() == 0
        assert all((each["boxes"] == target["boxes"]).all() for each in targets)


def test_a_pool_goes_by_the_strides_it_is_told() -> None:
    from fittingroom.segmentation.detector_parts import tell_strides

    pool = MultiScaleRoIAlign(["0", "1"], output_size=1, sampling_ratio=1, canonical_scale=32, canonical_level=3)
    tell_strides(pool)
    maps = {"0": torch.full((1, 1, 32, 32), 4.0), "1": torch.full((1, 1, 16, 16), 8.0)}
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 100.0, 100.0]])
    seen = pool(maps, [boxes], [(4, 2000)])
    assert seen.flatten().tolist() == [4.0, 8.0], "the small box from the finer level, whatever the first picture was"
    assert pool.scales == [1 / 4, 1 / 8]
