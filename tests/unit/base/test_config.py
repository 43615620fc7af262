"""The configuration file: what it accepts, how it refuses, and the pages generated from it."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from appliance import config
from appliance.config import Config, ConfigError

GENERATED = Path(config.__file__).with_name("CONFIGURATION.md")


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch, tmp_path):
    """Tests see neither this machine's configuration nor the checkout they run in."""
    monkeypatch.delenv("APPLIANCE_CONFIG", raising=False)
    monkeypatch.delenv("APPLIANCE_DATA", raising=False)
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "absent.toml")
    monkeypatch.chdir(tmp_path)


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "appliance.toml"
    file.write_text(text, "utf-8")
    return config.load(file)


def test_without_a_file_everything_is_default():
    loaded = config.load()
    assert loaded == dataclasses.replace(Config(), data_dir=Path("/var/lib/appliance"))
    assert loaded.eas.versions == ("12.1", "14.0", "14.1", "16.0", "16.1")
    assert loaded.reception.size_bytes_max == 36_700_160


def test_reads_values_and_keeps_the_other_defaults(tmp_path):
    loaded = load(tmp_path, '[web]\nworkers = 4\n[eas]\nversions = ["16.1"]\n[dns]\ntimeout_s = 2\n')
    assert (loaded.web.workers, loaded.web.heartbeat_max_s) == (4, 3540)
    assert loaded.eas.versions == ("16.1",)
    assert (loaded.dns.timeout_s, type(loaded.dns.timeout_s)) == (2.0, float)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[reception]\nsize_byte_max = 1\n", ["[reception]", "size_byte_max", "did you mean size_bytes_max"]),
        ("[recepton]\n", ["section", "recepton", "did you mean reception"]),
        ("[web]\nzzzzzzzz = 1\n", ["unknown key in [web]: zzzzzzzz"]),
        ("web = 3\n", ["web must be a section"]),
        ("data_dir = '/x'\n", ["unknown section: data_dir"]),
        ('[web]\nworkers = "4"\n', ["[web] workers", "whole number", "'4'"]),
        ("[web]\nworkers = true\n", ["[web] workers", "whole number", "True"]),
        ("[web]\nworkers = 1.5\n", ["[web] workers", "whole number"]),
        ("[web]\nworkers = 0\n", ["[web] workers", "from 1 to 64", "0"]),
        ("[dns]\ntimeout_s = nan\n", ["[dns] timeout_s", "from 0.1 to 60"]),
        ("[relay]\nenabled = 1\n", ["[relay] enabled", "true or false"]),
        ('[eas]\nversions = "16.1"\n', ["[eas] versions", "list"]),
        ("[eas]\nversions = []\n", ["[eas] versions", "at least one"]),
        ('[eas]\nversions = ["16.1", "2.5"]\n', ["[eas] versions", "12.1", "'2.5'"]),
        ('[bus]\nurl = "redis:/x"\n', ["[bus] url", "redis://"]),
        ('[dns]\nresolver = "localhost"\n', ["[dns] resolver", "IP address", "'localhost'"]),
        ('[web]\nlisten = ["127.0.0.1"]\n', ["[web] listen", "host:port"]),
        ('[web]\ntrusted_proxies = ["10.0.0.0/33"]\n', ["[web] trusted_proxies", "10.0.0.0/33"]),
        ("[web]\nheartbeat_min_s = 900\nheartbeat_max_s = 600\n", ["heartbeat_min_s", "heartbeat_max_s"]),
        ('[queue]\nrunner = "celery"\n', ["[queue] runner", "builtin"]),
        ('[queue]\nbroker_url = "redis://b/1"\n', ["[queue] runner", "broker_url"]),
        ('[blobs]\nurl = "s3://bucket/x"\n', ["[blobs] url", "file"]),
        ("[relay]\nlifetime_s = 60\n", ["delay_notice_s", "lifetime_s"]),
        ("[queue]\nlease_s = 3601\n", ["[queue] lease_s", "from 900 to 3600"]),
        ("[relay]\ndata_timeout_s = 781\n", ["[relay] data_timeout_s", "780", "lease_s"]),
        (
            "[queue]\nlease_s = 2000\n[relay]\ncommand_timeout_s = 1881\n",
            ["[relay] command_timeout_s", "1880", "lease_s"],
        ),
        ("[web\n", ["line 1"]),
    ],
)
def test_a_mistake_is_named_with_its_rule(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert "appliance.toml" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_named_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        config.load(tmp_path / "nowhere.toml")


def test_a_refused_secret_is_not_shown(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, '[database]\nurl = "mysql://u:hunter2@db.example/x"\n')
    assert "hunter2" not in str(caught.value)
    assert "db.example" in str(caught.value)


def test_file_comes_from_the_argument_then_the_environment_then_etc(tmp_path, monkeypatch):
    for number, name in enumerate(("etc", "env", "arg"), start=2):
        (tmp_path / name).write_text(f"[web]\nworkers = {number}\n")
    assert config.load().web.workers == 1
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "etc")
    assert config.load().web.workers == 2
    monkeypatch.setenv("APPLIANCE_CONFIG", str(tmp_path / "env"))
    assert config.load().web.workers == 3
    assert config.load(tmp_path / "arg").web.workers == 4


def test_data_directory_order(tmp_path, monkeypatch):
    assert config.load().data_dir == Path("/var/lib/appliance")
    (tmp_path / "pyproject.toml").touch()
    assert config.load().data_dir == Path("/var/lib/appliance"), "some other project's checkout"
    (tmp_path / "appliance").mkdir()
    (tmp_path / "appliance" / "config.py").touch()
    assert config.load().data_dir == tmp_path / "var"
    monkeypatch.setenv("APPLIANCE_DATA", "elsewhere")
    assert config.load().data_dir == tmp_path / "elsewhere"
    assert config.load(data_dir=Path("/srv/mail")).data_dir == Path("/srv/mail")


def test_every_default_obeys_its_own_rule(tmp_path):
    assert dataclasses.replace(load(tmp_path, config.effective(Config())), file=None).web == Config().web


def test_effective_is_a_loadable_file_without_secrets(tmp_path):
    written = '[database]\nurl = "postgresql://u:hunter2@db.example/mail"\n[metrics]\ntoken = "t0ken"\n'
    shown = config.effective(load(tmp_path, written))
    assert "hunter2" not in shown
    assert "t0ken" not in shown
    assert tomllib.loads(shown)["database"]["url"] == "postgresql://***@db.example/***"
    assert load(tmp_path, config.effective(Config())).relay == Config().relay


@pytest.mark.parametrize("section", [about.name for about in config._sections()])
def test_every_setting_is_explained(section):
    settings = getattr(Config(), section)
    assert type(settings).__doc__.strip().endswith(".")
    for about in dataclasses.fields(settings):
        assert about.metadata["sentence"].endswith("."), about.name
        assert about.name.endswith("_s") == (about.metadata["unit"] == "s"), about.name
        assert f"| `{about.name}` |" in config.reference()


def test_the_committed_reference_is_current():
    assert GENERATED.read_text("utf-8") == config.reference(), (
        "run: python -m appliance.config > appliance/CONFIGURATION.md"
    )
