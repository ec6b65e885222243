"""Settings come from the file and the environment, and an open door needs a token."""

from pathlib import Path

import pytest

from studio.errors import InvalidRequest, Refused
from studio.settings import Settings


def test_everything_lives_below_studio_home(home: Path) -> None:
    settings = Settings.load()
    assert settings.home == home
    assert str(home) in settings.jobs_url
    assert settings.is_loopback


def test_the_environment_wins_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "settings.toml").write_text('port = 1234\nlabel = "Atelier"\n')
    monkeypatch.setenv("STUDIO_PORT", "4321")
    settings = Settings.load()
    assert (settings.port, settings.label) == (4321, "Atelier")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "studio.example"])
def test_an_address_that_others_can_reach_needs_a_token(host: str) -> None:
    with pytest.raises(Refused, match="token"):
        Settings.load(host=host)
    assert not Settings.load(host=host, token="a long random secret").is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert Settings.load(host=host).is_loopback


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_PORT", "seventy")
    with pytest.raises(InvalidRequest, match="port"):
        Settings.load()


def test_an_unknown_setting_in_the_file_is_named(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text("prot = 1\n")
    with pytest.raises(InvalidRequest, match="prot"):
        Settings.load()


def test_a_file_that_is_not_toml_is_named(home: Path) -> None:
    home.mkdir()
    (home / "settings.toml").write_text("port = = 1\n")
    with pytest.raises(InvalidRequest, match=r"settings\.toml"):
        Settings.load()


def test_secrets_are_never_printed() -> None:
    settings = Settings.load(token="canary-secret-of-24-chars")
    assert "canary" not in repr(settings) + str(settings.model_dump())


@pytest.mark.parametrize("token", ["", "  ", "short"])
def test_no_token_worth_the_name_opens_nothing(token: str) -> None:
    with pytest.raises((Refused, InvalidRequest)):
        Settings.load(host="0.0.0.0", token=token)
    if not token.strip():
        assert Settings.load(token=token).token is None


def test_lists_in_the_environment_are_names_between_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_HOSTS", "studio.lan, art.lan")
    monkeypatch.setenv("STUDIO_CARDS", "/cards")
    settings = Settings.load()
    assert settings.hosts == ("studio.lan", "art.lan")
    assert settings.cards == (Path("/cards"),)
