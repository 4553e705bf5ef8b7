"""Content-keyed caching: a step that was done is never done again, and a lost or changed file is noticed.

A cached step returns a *record*, a JSON value::

    {"value": {...}, "outputs": {"prepared/navy/0a1b.png": [size, mtime_ns, sha256], ...}, "seconds": 1.5}

Records lie in ``<workspace>/cache`` under a key made of the step's name, the version of its code and its arguments in
canonical JSON: contents, never places. They hold paths relative to the workspace, so a workspace can be moved, and
they need no Prefect database, so a server can be wiped. Before Prefect looks a key up, `ContentKey` checks that the
files of its record are still what they were; a record whose files are not is dropped, which makes it a miss.
"""

from __future__ import annotations

import datetime
import functools
import inspect
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path, PurePath
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

from prefect import Task, task
from prefect.cache_policies import CachePolicy
from prefect.context import FlowRunContext, TaskRunContext
from pydantic import BaseModel

from fittingroom.errors import FittingroomError
from fittingroom.workspace import Workspace, digest_file, digest_value, full_disk_named, write_json
from tasks import callbacks
from tasks.explaining import Call, remember, why_not_done
from tasks.record_files import RecordFolder, reserve_space
from tasks.retrying import RETRYING
from tasks.telling import say

Outputs = dict[str, list[Any]]
"""Path relative to the workspace -> [size in bytes, mtime in ns, SHA-256]."""


class CachedResult(TypedDict):
    """What a cached step returns."""

    value: dict[str, Any]
    outputs: Outputs
    seconds: float


@dataclass(frozen=True)
class Content:
    """Something on disk that a step reads: where it lies, and the digest that stands for it in cache keys.

    ``path_in_key`` is for a step whose result names the path itself: then the path is part of the key too.
    """

    path: str
    digest: str
    path_in_key: bool = False


T = TypeVar("T")


class Unvisited(Generic[T]):
    """What a flow returns to another, unlooked into: Prefect searches dicts, tuples and dataclasses for futures, and
    records name every picture.
    """

    __slots__ = ("content",)

    def __init__(self, content: T) -> None:
        self.content = content


@dataclass(frozen=True)
class Summary:
    """What a flow keeps of a record: ``digest`` for all its files, which are named nowhere in memory any more."""

    value: dict[str, Any]
    seconds: float
    digest: str

    @classmethod
    def of(cls, record: CachedResult) -> Summary:
        """Of a cached step's record."""
        return cls(record["value"], record["seconds"], digest_outputs(record["outputs"]))


class StepResult(NamedTuple):
    """What a step's function returns: a JSON value and the files it wrote, all under the workspace. Of ``described``
    files it knows the facts already."""

    value: dict[str, Any]
    files: Iterable[Path] = ()
    described: Outputs = {}  # noqa: RUF012  never changed


def canonical(value: Any) -> Any:
    """``value`` as JSON that stands for its content: a `Content`, a `CachedResult`, and anything else with a ``digest``
    of its own (a shard, a summary) counts by that alone.

    Raises:
        TypeError: a path, or anything that has no JSON form of its own.
    """
    if isinstance(value, Content):
        return {"content": value.digest} | ({"at": value.path} if value.path_in_key else {})
    if (digest := getattr(value, "digest", None)) and isinstance(digest, str):
        return {"digest": digest}
    if isinstance(value, BaseModel):
        return canonical(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return canonical(asdict(value))
    if isinstance(value, PurePath):
        raise TypeError(f"a path is no content: expected tasks.caching.Content, got {value}")
    if isinstance(value, Mapping) and set(value) == set(CachedResult.__annotations__):
        return {"record": digest_outputs(value["outputs"])}
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(canonical(item) for item in value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"cannot be part of a cache key: {type(value).__name__}")


@dataclass
class ContentKey(CachePolicy):
    """Prefect's cache policy for our steps: name, code version and arguments, and only sound records.

    ``version`` is raised by hand when the step's code changes what it produces. Arguments named in ``ignore`` say
    where or how fast, not what, and stay out of the key; ``workspace`` always does.
    """

    step: str = ""
    version: int = 1
    ignore: tuple[str, ...] = ()

    def key(self, inputs: Mapping[str, Any]) -> str:
        """The key of these arguments, also the record's file name."""
        arguments = {name: canonical(value) for name, value in self._counting(inputs).items()}
        return f"{self.step}-{digest_value({'step': self.step, 'version': self.version, 'arguments': arguments})[:40]}"

    def call(self, inputs: Mapping[str, Any]) -> Call:
        """What the key of these arguments is made of."""
        return Call.of(self.step, self.version, self._counting(inputs))

    def _counting(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in inputs.items() if name not in {"workspace", *self.ignore}}

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **_: Any,
    ) -> str | None:
        """Called by Prefect just before it looks the key up; says why the step will run, or that it was done."""
        key, place = self.key(inputs), Workspace(Path(inputs["workspace"]))
        name = task_ctx.task_run.name
        try:
            why = what_is_wrong(place, key)
        except FileNotFoundError:
            why = why_not_done(place, key, self.call(inputs))
        say("%s: %s", name, why or "done before")
        callbacks.steps.tell(name, why)
        return key


def what_is_wrong(workspace: Workspace, key: str) -> str:
    """Why the record of ``key`` cannot be used; empty where it can. One whose files are not what they were is deleted.

    Raises:
        FileNotFoundError: there is none.
    """
    found, record, wrong = _read(workspace, key)
    return wrong if record is None else _expired(found, workspace.cache / key)


def sound_record(workspace: Workspace, key: str) -> CachedResult | None:
    """The record of ``key`` where there is one and its files are what they were."""
    try:
        return _read(workspace, key)[1]
    except FileNotFoundError:
        return None


def keep_record(workspace: Workspace, key: str, record: CachedResult) -> None:
    """Write a record as Prefect would."""
    write_json(workspace.cache / key, {"result": json.dumps(record)}, indent=None)


def _read(workspace: Workspace, key: str) -> tuple[Mapping[str, Any], CachedResult | None, str]:
    """The file of a record and the record, or None and what is wrong with it: then it is deleted.

    Raises:
        FileNotFoundError: there is none.
    """
    path, found = workspace.cache / key, {}
    try:
        found = json.loads(path.read_bytes())
        record: CachedResult = json.loads(found["result"])
        lost = next((name for name, fact in record["outputs"].items() if not is_sound(workspace, name, *fact)), None)
        wrong = f"{lost} is gone or changed" if lost is not None else ""
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        wrong = "its record cannot be read"  # torn by a kill, or not ours
    if wrong:
        path.unlink(missing_ok=True)
        return found, None, wrong
    return found, record, ""


def _expired(found: Mapping[str, Any], path: Path) -> str:
    """Why the record in a file is too old; empty where it is not. Prefect looks too, and asks for nothing."""
    until = (found.get("metadata") or {}).get("expiration")
    if not until:
        return ""
    ends = datetime.datetime.fromisoformat(until).timestamp()
    hours = (ends - path.stat().st_mtime) / 3600
    return f"older than {hours:.3g} h" if ends < time.time() else ""


def is_sound(workspace: Workspace, name: str, size: int, mtime_ns: int, sha256: str) -> bool:
    """Whether a file is what it was: by size and time of change where these agree, else by digest."""
    path = os.path.join(workspace.root, name)  # noqa: PTH118  a record names hundreds, and runs of 10,000 pictures all
    try:
        now = os.stat(path)  # noqa: PTH116
        return now.st_size == size and (now.st_mtime_ns == mtime_ns or digest_file(Path(path)) == sha256)
    except OSError:
        return False


def describe_outputs(workspace: Workspace, files: Iterable[Path]) -> Outputs:
    """The facts of files under the workspace."""
    outputs: Outputs = {}
    for file in sorted(set(files)):
        stat = file.stat()
        outputs[workspace.relative(file)] = [stat.st_size, stat.st_mtime_ns, digest_file(file)]
    return outputs


def digest_outputs(outputs: Outputs) -> str:
    """One digest for the names and contents of a step's files: what the next step's key is made of."""
    return digest_value({name: fact[2] for name, fact in outputs.items()})


F = TypeVar("F", bound=Callable[..., StepResult])


def step(
    name: str, *, version: int, run_name: str, ignore: tuple[str, ...] = (), **options: Any
) -> Callable[[F], Task[..., CachedResult]]:
    """A Prefect task out of a function that returns `StepResult`: cached by content, retried where that may help.

    The function's arguments must include ``workspace``; ``run_name`` may use the others, as in ``"cut {style}"``.
    """

    def decorate(function: F) -> Task[..., CachedResult]:
        if "workspace" not in inspect.signature(function).parameters:
            raise TypeError(f"{name}: a step needs an argument 'workspace'")

        policy = ContentKey(step=name.replace(" ", "-"), version=version, ignore=ignore)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> CachedResult:
            bound = inspect.signature(function).bind(*args, **kwargs)
            place, start = Workspace(Path(bound.arguments["workspace"])), time.perf_counter()
            with full_disk_named(place.root):
                made = function(*args, **kwargs)
                outputs = describe_outputs(place, made.files) | made.described
                record = CachedResult(value=made.value, outputs=outputs, seconds=round(time.perf_counter() - start, 3))
                reserve_space(record)
            remember(place, (policy.key(bound.arguments), policy.call(bound.arguments)))
            return record

        run.__annotations__ = {**function.__annotations__, "return": CachedResult}
        return task(
            name=name,
            task_run_name=run_name,
            cache_policy=policy,
            persist_result=True,
            result_serializer="json",
            cache_result_in_memory=False,
            log_prints=False,
            **{**RETRYING, **options},
        )(run)

    return decorate


@contextmanager
def result_storage(workspace: Workspace) -> Iterator[None]:
    """Inside a flow: keep the records of its tasks in this workspace, whatever Prefect's home is.

    Raises:
        StorageUnavailable: what the flow itself does met a full disk.
    """
    context = FlowRunContext.get()
    if context is None:
        raise FittingroomError("records_in: expected to be inside a flow run")
    workspace.cache.mkdir(parents=True, exist_ok=True)
    store = context.result_store.model_copy(
        update={"result_storage": RecordFolder(basepath=str(workspace.cache)), "persist_result": True}
    )
    with full_disk_named(workspace.root), context.model_copy(update={"result_store": store}):
        yield
