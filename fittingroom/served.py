"""The settings of served deployments, looked at before anything is served: what they are, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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


def check_trainings(settings: Settings) -> None:
    """Refuse settings that no training accepts.

    Raises:
        InputError: naming where the setting was given, and what is wrong with it.
    """
    from fittingroom.segmentation.settings import preset as segmenter_preset
    from fittingroom.translation.settings import preset as style_preset

    for field, given in (
        ("segmenter_settings", settings.segmenter_settings),
        ("style_settings", settings.style_settings),
    ):
        if not given:
            continue
        from fittingroom.training.device import choose_preset  # brings torch, which serving does without

        preset = choose_preset(settings.preset, settings.device)
        try:
            if field == "style_settings":
                style_preset(preset).with_overrides(**given)
            else:
                segmenter_preset(preset).with_overrides(given)
        except SettingError as error:
            where = source_of(field, error.field) or source_of(field)
            raise InputError(f"{where.name_of((field,)) if where else field}: {error}") from None
