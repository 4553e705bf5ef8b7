"""What holds for a whole installation, and what its served deployments start with.

Each setting is read from its ``FITTINGROOM_*`` variable, else from a ``.env`` file, else from ``fittingroom.toml`` in
the workspace. What a single run needs (epochs, sizes, thresholds) is not here: it lives next to the stage that owns it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from fittingroom.errors import InputError, SettingError
from fittingroom.names import nearest, not_known

FILE = "fittingroom.toml"
"""Name of the settings' file in the workspace."""
PREFIX = "FITTINGROOM_"
Location = tuple[int | str, ...]
"""A setting's name, and the names of a part in it."""


def _cron(value: object) -> str | None:
    """Five fields of cron, or None for no schedule (``false`` in a file)."""
    if value is False or value is None:
        return None
    from cronsim import CronSim, CronSimError

    try:
        if isinstance(value, str) and len(value.split()) == 5:
            CronSim(value, datetime.now(UTC))
            return value
    except CronSimError:
        pass
    raise ValueError('expected five fields of cron, such as "30 3 * * *", or false for no schedule')


Device = Literal["auto", "cpu", "cuda", "mps"]
Preset = Literal["auto", "demo", "cpu", "standard"]
Cron = Annotated[str | None, BeforeValidator(_cron)]


class Schedules(BaseModel):
    """When the scheduled deployments run, as cron in UTC; None: by hand only. In a file under the deployment's name."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    retrain_styles: Cron = "30 3 * * *"
    try_on_batch: Cron = "0 6 * * *"
    clean_up: Cron = "0 22 * * *"

    def of(self, deployment: str) -> str | None:
        """The schedule of a deployment, or None."""
        return self.model_dump(by_alias=True).get(deployment)

    @classmethod
    def deployments(cls) -> list[str]:
        """The deployments that have one."""
        return list(cls().model_dump(by_alias=True))


class Settings(BaseSettings):
    """Installation-wide settings; every field can be set as ``FITTINGROOM_<FIELD>``, all but the first in the file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    workspace: Annotated[Path, BeforeValidator(lambda given: given or "workspace")] = Field(
        Path("workspace"), description="the folder everything is written under"
    )
    device: Device = Field("auto", description="where the models run")
    tracking_uri: str | None = Field(
        None, description="MLflow tracking and registry URI; the default is an SQLite file in the workspace"
    )
    track_trainings: bool = Field(
        True, description="write a training's curves, sheets and settings to MLflow while it learns"
    )
    retention_days: float = Field(
        30.0, gt=0, description="days that personal pictures and what the Prefect UI shows of them are kept"
    )
    dask: str | None = Field(
        None, description="where shards are worked on: a Dask scheduler's address, or local:N for N processes here"
    )
    contact: str | None = Field(None, description="an e-mail address or URL put into the crawler's user agent")
    allow_loopback: bool = Field(
        False, description="let the crawler fetch from this machine (the sample shop needs it)"
    )
    google_api_key: str | None = Field(None, description="Google Programmable Search key", repr=False)
    google_engine_id: str | None = Field(None, description="Google Programmable Search engine id")
    bing_api_key: str | None = Field(None, description="key of a Bing-style image search", repr=False)
    backbone_weights: Path | None = Field(
        None, description="ImageNet backbone weights (safetensors) where torchvision's cannot be downloaded"
    )
    c2pa_certificate: Path | None = Field(
        None, description="certificates (PEM) that sign try-ons with a C2PA manifest, the signer's first"
    )
    c2pa_key: Path | None = Field(None, description="its private key (PEM, without a password)")
    app_api_keys: Path | None = Field(None, description="keys of the try-on page's HTTP API (docs/api.md)")
    app_log: Literal["text", "json"] = Field(
        "text", description="the try-on page's log: what went wrong as text, or every request too as JSON lines"
    )
    # What the served deployments start with.
    preset: Preset = Field("auto", description="size of network and training; auto is what the machine can do")
    catalog: Path | None = Field(None, description="the catalog; the default is catalog.yaml in the workspace")
    segmenter_settings: dict[str, Any] = Field({}, description="settings of the segmenter over the preset's")
    style_settings: dict[str, Any] = Field({}, description="settings of the styles' trainings over the preset's")
    checks: dict[str, Any] = Field({}, description="what the checks between stages allow, over the defaults")
    schedules: Schedules = Field(Schedules(), description="when the scheduled deployments run")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Of two that name one setting the first holds; the last needs to know the workspace from those before it."""
        return init_settings, env_settings, dotenv_settings, _WorkspaceFile(settings_cls)


SERVED = ("preset", "catalog", "segmenter_settings", "style_settings", "checks", "schedules")
"""The settings that served deployments start with."""
SECRET = tuple(name for name, field in Settings.model_fields.items() if not field.repr)
"""The settings that are shown to nobody."""


class _WorkspaceFile(PydanticBaseSettingsSource):
    """``fittingroom.toml`` in the workspace that the sources before this one name."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Not asked: `__call__` gives all at once."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        return read_file(settings_file(Path(self.current_state.get("workspace") or _default_workspace())))


def _default_workspace() -> Path:
    return Path(Settings.model_fields["workspace"].default)


def settings_file(workspace: Path) -> Path:
    """Where a workspace's settings stand."""
    return workspace.expanduser().absolute() / FILE


def read_file(path: Path) -> dict[str, Any]:
    """The settings in a file, whose relative paths are relative to its folder; none where there is no file.

    Raises:
        InputError: it cannot be read, is not TOML, or holds a name that is no setting.
    """
    if path.is_dir():
        raise InputError(f"{path}: expected a file, got a folder")
    try:
        found: dict[str, Any] = TomlConfigSettingsSource(Settings, path).toml_data
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected TOML: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    known = [name for name in Settings.model_fields if name != "workspace"]
    for name, value in found.items():
        if name == "workspace":
            raise InputError(f"{path}: workspace: this file lies in it; {PREFIX}WORKSPACE says where that is")
        if name not in known:
            raise InputError(f"{path}: {not_known('setting', name, known)}")
        if Path in (annotation := Settings.model_fields[name].annotation, *get_args(annotation)) and value:
            found[name] = path.parent / Path(str(value)).expanduser()
    return found


class Source(NamedTuple):
    """Where settings came from, in words, and which."""

    name: str
    values: Mapping[str, Any]

    def holds(self, location: Location) -> bool:
        """Whether a setting, or a part of one, is in it."""
        value: Any = self.values
        for step in location:
            if not isinstance(value, Mapping) or step not in value:
                return False
            value = value[step]
        return True

    def name_of(self, location: Location) -> str:
        """What a setting, or a part of one, is called there: a variable, or a key in a file."""
        first, *others = (str(step) for step in location)
        in_file = Path(self.name).name == FILE
        return f"{self.name}: {'.'.join((first, *others))}" if in_file else ".".join((PREFIX + first.upper(), *others))


def sources() -> list[Source]:
    """All sources of this process's settings; of two that name one setting, the first holds.

    Raises:
        InputError: as for `read_file`.
    """
    variables, dotenv = EnvSettingsSource(Settings)(), DotEnvSettingsSource(Settings)()
    path = settings_file(Path(variables.get("workspace") or dotenv.get("workspace") or _default_workspace()))
    return [Source("environment", variables), Source(".env", dotenv), Source(str(path), read_file(path))]


def source_of(*location: int | str) -> Source | None:
    """The source that a setting of this process, or a part of one, came from; None: it is the default."""
    return next((source for source in sources() if source.holds(location)), None)


@cache
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingError: a variable holds a value that is not allowed.
        InputError: likewise the file in the workspace, or a name that is no setting.
    """
    _refuse_misspelt()
    try:
        return Settings()
    except SettingsError as error:
        field = str(error).partition('"')[2].partition('"')[0]
        raise InputError(f"setting {PREFIX}{field.upper()}: expected JSON") from None
    except ValidationError as error:
        raise _explained(error) from None


def _refuse_misspelt() -> None:
    """Other variables with our prefix are somebody's own; one that is nearly a setting's is a slip."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in (*os.environ, *dotenv_values(".env")):
        upper = name.upper()
        if upper.startswith(PREFIX) and upper not in known and (near := nearest(upper, known, 0.9)):
            raise InputError(f"variable {name}: there is no such setting; did you mean {near}?")


def _explained(error: ValidationError) -> InputError:
    first = error.errors()[0]
    location = first["loc"]
    source = source_of(*location)
    name = source.name_of(location) if source else PREFIX + str(location[0]).upper()
    if first["type"] == "extra_forbidden":
        return InputError(f"{name}: {not_known('deployment', str(location[-1]), Schedules.deployments())}")
    wanted = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("expected ")
    if first["type"] in ("dict_type", "model_type"):
        wanted = "names with values"
    if name.startswith(PREFIX):
        return SettingError(name, first.get("input"), wanted)
    return InputError(f"{name}: expected {wanted}, got {first.get('input')!r}")
