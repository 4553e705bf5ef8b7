"""A flow out of a story: its parameters, its name in the UI, and how its end is said.

``@story`` makes a Prefect flow of a function of one model of parameters. To Prefect the flow has a parameter for each
field of the model, which is its only definition: run forms, deployments and ``prefect deployment run --param`` read
names, descriptions, choices and ranges from there. In Python a flow takes the model, or its fields by name.

A run that ends as expected says so in one line, its state's message: Completed when there was nothing to do, Failed
when an error was raised on purpose, or when something was produced that is not good enough. Other errors are Prefect's.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from pathlib import PurePath
from typing import Annotated, Any, Generic, TypeVar

from prefect import Flow, State
from prefect.runtime import flow_run
from prefect.states import Failed, get_state_exception
from prefect.utilities.hashing import file_hash
from pydantic import WithJsonSchema

from fittingroom.errors import FittingroomError, InputError, NothingProduced
from fittingroom.names import not_known
from flows.filling_in import fill_in
from flows.parameters import Parameters
from tasks.caching import Unvisited
from tasks.expected import quiet_expected_errors
from tasks.summing_up import show_end, show_failure, sum_up

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")
LIST_OF_TEXT = {"type": "array", "items": {"type": "string"}}
MINUTES, HOURS = 60.0, 3600.0
"""Units of the flows' timeouts: each is far above what its run takes, so that only a hung one meets it."""
MOST_NAMED = 3
"""Styles that a run's name names."""


class FellShort(FittingroomError):
    """A run came to its end, and what came out is not good enough; who called it in Python gets the ``result``."""

    def __init__(self, message: str, result: object) -> None:
        super().__init__(message)
        self.result = result


_RETURNED: ContextVar[list[Any]] = ContextVar("_RETURNED")
"""What the story that is told returned, for who called it in Python."""


class Story(Flow[..., R], Generic[P, R]):
    """A flow whose parameters are the fields of a model."""

    def __init__(
        self,
        function: Callable[[P], R | State[R]],
        model: type[P],
        name: str,
        run_name: Callable[[P], str],
        **options: Any,
    ) -> None:
        super().__init__(
            _told(function, model, name),  # type: ignore[arg-type]
            name=name,
            description=inspect.getdoc(function),
            version=file_hash(inspect.getfile(function)),
            flow_run_name=functools.partial(_name_of_run, model, name, run_name),
            validate_parameters=False,  # by the model, whose words are better, once the run has begun
            **options,
        )
        self.model = model

    def __call__(  # type: ignore[override]  # Prefect's knows only fields
        self, parameters: P | None = None, /, *, return_state: bool = False, **values: Any
    ) -> Any:
        """Run it.

        Raises:
            FittingroomError: what stopped it.
        """
        if parameters is not None:
            values = {name: getattr(parameters, name) for name in self.model.model_fields}
        if unknown := set(values) - set(self.model.model_fields):
            raise InputError(f"{self.name}: {not_known('parameter', min(unknown), self.model.model_fields)}")
        own: list[Any] = []
        token = _RETURNED.set(own)
        try:
            state: Any = super().__call__(return_state=True, **values)
        finally:
            _RETURNED.reset(token)
        if return_state:
            return state
        if state.data is None and own and (state.is_completed() or state.is_failed()):
            # A request that a busy server took twice is answered with its own record of the state, without the data.
            return own[-1].result() if isinstance(own[-1], State) else own[-1]
        error = get_state_exception(state) if state.is_failed() else None
        return error.result if isinstance(error, FellShort) else state.result()

    def to_deployment(self, name: str, **options: Any) -> Any:  # type: ignore[override]  # Prefect's names each option
        """A deployment whose runs find this flow by a name that no other project has (`fittingroom.entrypoints`)."""
        made: Any = super().to_deployment(name, **options)
        made.entrypoint = f"fittingroom.entrypoints.{self.fn.__name__}"
        return made

    def offer(self, name: str, choices: Iterable[str]) -> None:
        """Let run forms offer these values for the items of a list; others can be typed all the same."""
        self.__signature__ = _signature(self.model, {name: list(choices)})


def story(
    model: type[P], *, name: str, run_name: Callable[[P], str], **options: Any
) -> Callable[[Callable[[P], R | State[R]]], Story[P, R]]:
    """A decorator: a flow out of a function of one ``model``.

    Args:
        model: the parameters, with meaning, choices, ranges and defaults.
        name: the flow's name.
        run_name: what a run is called, from its parameters.
        options: further ones of `prefect.Flow`, such as ``timeout_seconds``.
    """
    return lambda function: Story(function, model, name, run_name, **options)


def in_part(done: Mapping[str, R], empty: Mapping[str, NothingProduced]) -> Unvisited[dict[str, R]]:
    """What a flow returns of several styles, by name, where some may have given nothing at all.

    Raises:
        NothingProduced: none gave anything. FellShort: some did not; who called the flow in Python gets the others'.
    """
    if empty and not done:
        raise next(iter(empty.values()))
    result = Unvisited(dict(done))
    if empty:
        raise FellShort("; ".join(map(str, empty.values())), result)
    return result


def named(styles: list[str]) -> str:
    """A few styles in words, for the name of a run; of a picture its file name."""
    if not styles:
        return "all styles"
    more = f" and {len(styles) - MOST_NAMED} more" if len(styles) > MOST_NAMED else ""
    return ", ".join(PurePath(style).name for style in styles[:MOST_NAMED]) + more


def _told(function: Callable[[P], R | State[R]], model: type[P], name: str) -> Callable[..., R | State[R]]:
    """What Prefect runs: the story with its end made a state."""

    @functools.wraps(function)
    def told(**values: Any) -> R | State[R]:
        started = time.monotonic()
        try:
            parameters = fill_in(name, model, _given(model, values))
            result = function(parameters)
        except FittingroomError as error:
            show_failure(name, error)
            return Failed(message=str(error), data=error)
        _RETURNED.get([]).append(result)
        if isinstance(result, State):  # there was nothing to do
            show_end(name, result.message or "")
            return result
        failure = sum_up(parameters.place, name, result, time.monotonic() - started)
        return Failed(message=failure, data=FellShort(failure, result)) if failure else result

    quiet_expected_errors()
    del told.__wrapped__  # Prefect would look at its signature
    told.__signature__ = _signature(model)  # type: ignore[attr-defined]
    meanings = (f"    {field}: {info.description}" for field, info in model.model_fields.items())
    told.__doc__ = "\n".join((inspect.getdoc(function) or "", "", "Args:", *meanings))
    return told


def _signature(model: type[Parameters], choices: Mapping[str, list[str]] | None = None) -> inspect.Signature:
    parameters = []
    for name in model.asked():
        info = model.model_fields[name]
        kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        if choices and choices.get(name):
            known = {"type": "string", "enum": choices[name]}
            kinds = [{"title": "known", "type": "array", "items": known}, {"title": "others", **LIST_OF_TEXT}]
            kind = Annotated[kind, WithJsonSchema({"anyOf": kinds})]
        default = inspect.Parameter.empty if info.is_required() else info.default
        if info.default_factory:  # the installation's settings say, and those of the machine where the flow runs
            kind, default = kind | None, None
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    return inspect.Signature(parameters)


def _given(model: type[Parameters], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those that are left to the installation's settings."""
    left = {name for name, info in model.model_fields.items() if info.default_factory}
    return {name: value for name, value in values.items() if value is not None or name not in left}


def _name_of_run(model: type[P], name: str, run_name: Callable[[P], str]) -> str:
    try:
        return run_name(fill_in(name, model, _given(model, flow_run.parameters)))
    except InputError:  # the run will say it
        return name
