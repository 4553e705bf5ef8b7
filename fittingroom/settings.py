"""What holds for a whole installation, read from ``FITTINGROOM_*`` variables or a ``.env`` file.

What a single run needs (epochs, sizes, thresholds) is not here: it lives beside the stage that owns it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from fittingroom.errors import SettingError


class Settings(BaseSettings):
    """Installation-wide settings; every field can be set as ``FITTINGROOM_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="FITTINGROOM_", env_file=".env", extra="ignore", frozen=True)

    workspace: Path = Field(Path("workspace"), description="the folder everything is written under")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where the models run")
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


@cache
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingError: a variable holds a value that is not allowed.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "FITTINGROOM_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingError(name, first.get("input"), first["msg"].removeprefix("Input should be ")) from None
