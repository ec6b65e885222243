"""How this installation is set up: one frozen value, read once and passed down.

`$STUDIO_HOME/settings.toml` holds what an operator chose; `STUDIO_*` environment variables win
over it. Secrets come from files or the environment and are never printed.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from studio.errors import InvalidRequest, Refused


def studio_home() -> Path:
    """Where everything lives: `STUDIO_HOME`, or `~/.colophon`."""
    return Path(os.environ.get("STUDIO_HOME") or "~/.colophon").expanduser().absolute()


def _names(value: Any) -> Any:
    """Names between commas, as the environment gives them, as a list of names."""
    return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


def _unless_blank(value: Any) -> Any:
    """An environment that sets a name to nothing means that it is not set."""
    return None if isinstance(value, str) and not value.strip() else value


class Provider(BaseModel):
    """Where models run that do not run here: `[hosted.NAME]`. Nothing else is ever contacted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Whose interface it speaks; empty where the provider's own name says so.
    api: Literal["openai", "anthropic", "google", ""] = ""
    #: Where it is; empty is the maker's own address. Only this address gets the key and the words.
    base_url: AnyHttpUrl | None = None
    #: The file with the key, and nothing else in it; a server of one's own may need none.
    key_file: Path | None = None
    #: Calls at a time.
    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    #: How long an answer may be silent.
    timeout_seconds: Annotated[float, Field(gt=0)] = 300.0
    #: How often a call is tried again after an error that may pass.
    retries: Annotated[int, Field(ge=0, le=10)] = 3


#: Providers that need no more than a key.
_KNOWN = ("openai", "anthropic", "google")


class Settings(BaseSettings):
    """One installation's settings."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_", frozen=True, extra="forbid")

    home: Path = Field(default_factory=studio_home, description="Where everything lives.")
    host: str = Field("127.0.0.1", description="Address the page and the API listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        7860, description="Port they listen on; 0 takes a free one."
    )
    token: Annotated[
        Annotated[SecretStr, Field(min_length=16)] | None, BeforeValidator(_unless_blank)
    ] = Field(
        None,
        description="What callers must present, 16 characters at least; required for any address "
        "other than loopback.",
    )
    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        (), description="Further names this server answers to, beside its address."
    )
    public_url: str = Field(
        "", description="The address under which others reach this studio; links lead there."
    )
    database_url: str | None = Field(
        None, description="Where jobs are kept; empty is an SQLite file below home."
    )
    cards: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_names)] = Field(
        (), description="Further folders of model cards."
    )
    devices: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names), Field(min_length=1)] = (
        Field(
            ("auto",),
            description="What generates, each for itself: cpu, mps, cuda:0, cuda:1 …; auto takes "
            "every accelerator and the processor beside them, or the processor alone.",
        )
    )
    threads: Annotated[int, Field(ge=0)] = Field(
        0, description="Processor threads for generation; 0 takes one per core."
    )
    idle_seconds: Annotated[float, Field(gt=0)] = Field(
        600, description="How long an idle worker keeps its models before it ends."
    )
    hang_seconds: Annotated[float, Field(gt=0)] = Field(
        30, description="How long a worker may be silent before it is killed."
    )
    stall_seconds: Annotated[float, Field(gt=0)] = Field(
        900,
        description="How long a worker that is alive may take over one step before it is killed.",
    )
    look_seconds: Annotated[float, Field(gt=0)] = Field(
        10,
        description="How often the studio looks, while nothing is made, whether there are pictures "
        "that it has not seen yet: to find them by meaning, and to describe them.",
    )
    search_model: str = Field(
        "", description="Which model finds them by meaning; empty is the first that is installed."
    )
    caption_model: str = Field(
        "",
        description="Which model describes them; empty is the first that is installed and is none "
        "of the starter models, which know no other pictures than their own.",
    )
    audiocraft_python: Path | None = Field(
        None,
        description="The Python that has audiocraft in it, as scripts/install_audiocraft makes "
        "one; without it AudioGen and MAGNeT cannot be used.",
    )
    max_pixels: Annotated[int, Field(gt=0)] = Field(
        64_000_000, description="The largest picture that is decoded, in pixels."
    )
    max_upload_bytes: Annotated[int, Field(gt=0)] = Field(
        200_000_000, description="The largest file that is accepted."
    )
    max_uploads: Annotated[int, Field(gt=0)] = Field(
        1000, description="How many uploads of one person are kept."
    )
    uploads_bytes: Annotated[int, Field(gt=0)] = Field(
        4_000_000_000, description="How many bytes they may have together."
    )
    upload_days: Annotated[float, Field(gt=0)] = Field(
        7, description="Days after which an upload that nothing uses is gone."
    )
    max_waiting: Annotated[int, Field(gt=0)] = Field(
        1000, description="How many jobs one person may have waiting."
    )
    spare_bytes: Annotated[int, Field(ge=0)] = Field(
        500_000_000, description="Jobs pause while the disk has less than this free."
    )
    bin_days: Annotated[float, Field(ge=0)] = Field(
        30, description="Days after which what was thrown away is gone; looked at every hour."
    )
    jobs_days: Annotated[float, Field(gt=0)] = Field(
        365,
        description="Days after which finished jobs leave the list; their outputs stay. Looked at "
        "every hour.",
    )
    allow_training: bool = Field(
        False, description="What the manifest says about training on the outputs."
    )
    commercial: bool = Field(
        False,
        description="Whether the studio earns money: models whose licence forbids that are neither "
        "fetched nor used then.",
    )
    disclosure: Literal["none", "before", "after", "written"] = Field(
        "none",
        description="Where speech says that its voice is artificial: before or after the text, "
        "aloud and in the text's language, or written into the first line of its subtitles.",
    )
    signer: str = Field(
        "",
        description="The command that signs where the signing key is kept elsewhere, as in a KMS "
        "or HSM: it gets the bytes on its input and answers with the ECDSA signature.",
    )
    label: str = Field("Colophon", description="Who the manifest names as the studio.")
    # A key is in a file and never in the environment, which every child inherits.
    openai_key_file: Path | None = Field(
        None, description="The file with the OpenAI key; short for key_file below [hosted.openai]."
    )
    anthropic_key_file: Path | None = Field(
        None, description="The same for [hosted.anthropic], which is Claude."
    )
    google_key_file: Path | None = Field(
        None, description="The same for [hosted.google], which is Gemini."
    )
    hosted: Mapping[str, Provider] = Field(
        {},
        description="Providers of models that run elsewhere, by name; none is called unless "
        "it is named here.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        return init_settings, env_settings, _File(settings_cls)

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """The settings of this installation.

        Raises:
            InvalidRequest: naming the setting that is wrong.
            Refused: if the page would be open to a network without a token.
        """
        try:
            settings = cls(**overrides)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            name = ".".join(str(part) for part in problem["loc"])
            raise InvalidRequest(
                f"The setting {name} is wrong: {problem['msg']}.",
                hint=f"Mend it in {studio_home() / 'settings.toml'} or STUDIO_{name.upper()}.",
            ) from None
        if not settings.is_loopback and settings.token is None:
            raise Refused(
                f"Listening on {settings.host} without a token would open this studio to the "
                "network.",
                hint="Set STUDIO_TOKEN to a long random secret, or listen on 127.0.0.1.",
            )
        return settings

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Every configured provider of hosted models, its `api` filled in.

        Raises:
            InvalidRequest: if one is of no known api, or has neither a key nor an address.
        """
        found: dict[str, Provider] = dict(self.hosted)
        for name in _KNOWN:
            key_file = getattr(self, f"{name}_key_file")
            if key_file is not None:
                found[name] = found.get(name, Provider()).model_copy(update={"key_file": key_file})
        for name, provider in found.items():
            api = provider.api or name
            if api not in _KNOWN:
                raise _unclear(name, f"it says no api, which is one of {', '.join(_KNOWN)}")
            if provider.base_url is None and (name not in _KNOWN or provider.key_file is None):
                raise _unclear(name, "it has neither a base_url nor a key_file of a known maker")
            found[name] = provider.model_copy(update={"api": api})
        return found

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def jobs_url(self) -> str:
        """The SQLAlchemy URL of the job store."""
        return self.database_url or f"sqlite:///{self.home / 'jobs.sqlite'}"


def _unclear(provider: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The provider {provider} cannot be used: {why}.",
        hint=f"Mend [hosted.{provider}] in the settings; model_cards/README.md shows one.",
    )


class _File(PydanticBaseSettingsSource):
    """`settings.toml` of the home that arguments or environment name."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        home = Path(self.current_state.get("home") or studio_home())
        try:
            return tomllib.loads((home / "settings.toml").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(
                f"{home / 'settings.toml'} cannot be read: {error}.",
                hint="Mend the file, or move it away to start with the defaults.",
            ) from None
