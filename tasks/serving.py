"""What serves, as flows hand it to their tasks: weights by content, and what a person should know of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect.logging import get_run_logger

from fittingroom.domain import RENDERED, is_rendered, warn_of_photo
from fittingroom.errors import NothingNear
from fittingroom.registry.serving import Served, Serving
from fittingroom.workspace import Workspace
from tasks.caching import Content
from tasks.photo_names import photo_id

if TYPE_CHECKING:
    from fittingroom.tryon.wanted import Wanted, Wish


class ServingModel(NamedTuple):
    """A model that serves: its style's name and category (None for a segmenter), and its weights.

    ``version`` says which weights (`fittingroom.registry.serving.Serving.version`). ``name`` is what its results are
    called: of a style in other colours than its own, those too. ``painting`` are the
    settings of a try-on that paint it in them.
    """

    name: str
    category: str | None
    weights: Content
    title: str
    domain: str
    version: str
    painting: Mapping[str, Any] = MappingProxyType({})


class ServingModels(NamedTuple):
    """The segmenter and the styles of a try-on."""

    segmenter: ServingModel
    styles: list[ServingModel]

    def domains(self, style: ServingModel) -> dict[str, str]:
        """What the two models of a try-on learnt from, by their names."""
        return {model.title: model.domain for model in (self.segmenter, style)}

    def versions(self, style: ServingModel) -> dict[str, str]:
        """Which weights the two are, by their names."""
        return {model.title: model.version for model in (self.segmenter, style)}


def models_for(
    workspace: Workspace,
    styles: list[str],
    photos: Iterable[Content],
    device: str = "auto",
    colours: Iterable[str] = (),
    house_colours: bool = False,
    nearest: bool = False,
    cloth: bool = False,
) -> ServingModels:
    """The segmenter and the wanted styles (names, or paths of pictures), all that serve for none wanted; the run's log
    says which, and warns where models that know drawings alone are to work on photos. The rest is as in
    `fittingroom.tryon.wanted.Wish`.

    Raises:
        MissingInputError: a style that does not serve; the message lists those that do.
        InputError, NoGarmentFound: a style's picture, or a colour, that cannot be used.
        NothingNear: no style has a picture's pattern.
    """
    from fittingroom.tryon.wanted import Wish

    serving, logger = Serving.from_settings(workspace), get_run_logger()
    wish = Wish(nearest=nearest, house_colours=house_colours, colours=tuple(colours), cloth=cloth)
    if styles:
        wanted = styles
    else:
        sound, failed = serving.sound_styles()
        wanted = [served.name for served in sound]
        for why in failed:
            logger.warning("left out: %s", why)
    found = _wanted(serving, wanted, device, wish)
    chosen = [served for served, _ in found]
    segmenter = serving.segmenter()
    for served in (segmenter, *chosen):
        logger.info("%s", served.words())
    if RENDERED in {served.domain for served in (segmenter, *chosen)}:
        real = next((photo_id(photo) for photo in photos if not is_rendered(Path(photo.path))), None)
        domains = {served.title: served.domain for served in (segmenter, *chosen)}
        if real is not None:
            logger.warning("%s: %s", real, warn_of_photo(False, domains))
    return ServingModels(
        _model(serving, segmenter),
        [_model(serving, served)._replace(name=wanted.label, painting=wanted.painting()) for served, wanted in found],
    )


def _wanted(serving: Serving, styles: list[str], device: str, wish: Wish) -> list[tuple[Served, Wanted]]:
    from fittingroom.tryon.models import Champions
    from fittingroom.tryon.wanted import find_wanted, is_picture

    champions = Champions(serving, device)
    found: dict[str, tuple[Served, Wanted]] = {}
    for style in styles:
        if not is_picture(style):
            serving.style(style)  # says of one that does not serve why
        try:
            wanted = find_wanted(style, champions, wish)
        except NothingNear as error:
            raise NothingNear(f"{style}: {error.what}", error.way_out) from None
        if wanted.described:
            get_run_logger().info("%s: style %s (%s)", style, wanted.label, wanted.choice.message)
        found[wanted.label] = serving.style(wanted.style.name), wanted
    return list(found.values())


def serving_styles(workspace: Workspace) -> list[str]:
    """Names of the styles that serve now: what a run form offers."""
    return [served.name for served in Serving.from_settings(workspace).styles()]


def own_styles(workspace: Workspace, names: list[str]) -> list[str]:
    """Those of the named styles that serve by a version of one's own."""
    own = {served.name for served in Serving.from_settings(workspace).styles() if not served.starter}
    return [name for name in names if name in own]


def finder_if_wanted(workspace: Workspace, wanted: bool) -> Content | None:
    """The serving segmenter's weights, or None when it is not wanted.

    Raises:
        MissingInputError: wanted, and none serves.
    """
    serving = Serving.from_settings(workspace)
    return _content(serving, serving.segmenter()) if wanted else None


def _model(serving: Serving, served: Served) -> ServingModel:
    category = (served.style.category or None) if served.style else None
    return ServingModel(
        served.name, category, _content(serving, served), served.title, served.domain, serving.version(served)
    )


def _content(serving: Serving, served: Served) -> Content:
    return Content(str(serving.weights(served)), serving.digest(served))
