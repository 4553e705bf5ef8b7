"""The settings of served deployments, looked at before anything is served: what they are, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fittingroom.checks.settings import CheckSettings
from fittingroom.errors import InputError, SettingError
from fittingroom.redaction import HIDDEN, redacted
from fittingroom.settings import SECRET, SERVED, Settings, source_of, sources


class Known(NamedTuple):
    """A setting: its name, its value in words, and the sources it comes from; none: it is the default."""

    name: str
    value: str
    sources: tuple[str, ...]


def known_settings(settings: Settings) -> Iterator[Known]:
    """All settings that are set, and those that deployments are served with, set or not."""
    all_sources = sources()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        found = [source.name for source in all_sources if source.holds((name,))]
        if found or name in SERVED:
            whole = found if isinstance(value, dict) or name == "schedules" else found[:1]
            yield Known(name, HIDDEN if name in SECRET else redacted(_words(value)), tuple(whole))


def _words(value: object) -> str:
    if hasattr(value, "model_dump"):
        value = value.model_dump(by_alias=True)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items()) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def check_overrides(
    preset: str, device: str, segmenter: Mapping[str, Any] | None = None, style: Mapping[str, Any] | None = None
) -> None:
    """Refuse settings over a preset that no training accepts; None: there is no such training.

    Raises:
        SettingError: naming the setting, and what is wrong with it.
    """
    from fittingroom.segmentation.settings import preset as segmenter_preset
    from fittingroom.training.device import choose_preset
    from fittingroom.translation.settings import preset as style_preset

    chosen = choose_preset(preset, device)
    if segmenter is not None:
        segmenter_preset(chosen).with_overrides(segmenter)
    if style is not None:
        style_preset(chosen).with_overrides(style)


def check_served(settings: Settings) -> None:
    """Refuse a catalog that is not there, and settings that no training or check accepts.

    Raises:
        InputError: naming where the setting was given, and what is wrong with it.
    """
    if settings.catalog is not None and not settings.catalog.exists():
        raise InputError(f"{_place('catalog')}: expected a file or a folder, there is nothing at {settings.catalog}")
    for field in ("segmenter_settings", "style_settings", "checks"):
        if not (given := getattr(settings, field)):
            continue
        try:
            if field == "checks":
                CheckSettings().with_overrides(given)
            else:
                check_overrides(settings.preset, settings.device, **{field.removesuffix("_settings"): given})
        except SettingError as error:
            raise InputError(f"{_place(field, error.field)}: {error}") from None


def _place(field: str, part: str | None = None) -> str:
    """What a setting is called where it was given."""
    where = (source_of(field, part) if part else None) or source_of(field)
    return where.name_of((field,)) if where else field
