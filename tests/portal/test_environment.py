"""What an operator may set: defaults that work, and one sentence for each wrong value."""

import base64
import stat
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from portal.environment import VARIABLES, BadEnvironment, load

PRODUCTION = {
    "BERTH_ENV": "production",
    "DATABASE_URL": "postgresql://owner:secret@db.example.com:5433/portal?sslmode=require",
    "REDIS_URL": "rediss://cache.example.com:6380/1",
    "SECRET_KEY": "k" * 50,
    "ALLOWED_HOSTS": "models.example.com",
}


def test_code_of_their_own_is_off_unless_the_operator_says_otherwise(
    tmp_path: Path,
) -> None:
    home = {"BERTH_HOME": str(tmp_path)}
    assert not load(home).own_code
    assert load({**home, "BERTH_OWN_CODE": "1"}).own_code
    with pytest.raises(BadEnvironment, match="BERTH_OWN_CODE is 'yes': set it to 0 or 1"):
        load({**home, "BERTH_OWN_CODE": "yes"})


def test_without_any_variable_everything_lies_in_one_folder(tmp_path: Path) -> None:
    env = load({"BERTH_HOME": str(tmp_path / "var")})
    assert (env.port, env.host, env.web_workers, env.production) == (8000, "127.0.0.1", 2, False)
    assert env.home == tmp_path / "var"
    assert env.storage_url == f"file://{tmp_path}/var/files"
    assert env.redis_url.startswith("unix://")
    assert env.kafka_bootstrap_servers is None


def test_the_application_has_a_role_of_its_own_on_the_same_database(tmp_path: Path) -> None:
    env = load({**PRODUCTION, "BERTH_HOME": str(tmp_path)})
    owner, app = conninfo_to_dict(env.database_url), conninfo_to_dict(env.database_app_url)
    assert app.pop("user") == "portal_app"
    assert len(str(app.pop("password"))) == 64
    assert app.items() <= owner.items()


def test_the_keys_are_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    first, second = (load({"BERTH_HOME": str(tmp_path)}) for _ in range(2))
    assert first.secret_key == second.secret_key
    assert first.signing_key == second.signing_key
    assert len(first.signing_key) == 32
    for name in ("secret_key", "signing_key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_no_secret_shows_when_the_environment_is_printed(tmp_path: Path) -> None:
    env = load({**PRODUCTION, "BERTH_HOME": str(tmp_path)})
    assert "secret@" not in repr(env)
    assert env.secret_key not in repr(env)


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load({"BERTH_HOME": str(tmp_path), "PORT": "", "DATABASE_URL": " "}).port == 8000


def test_a_signing_key_can_be_given(tmp_path: Path) -> None:
    key = bytes(range(32))
    given = {"BERTH_HOME": str(tmp_path), "BERTH_SIGNING_KEY": base64.b64encode(key).decode()}
    assert load(given).signing_key == key


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS"])
def test_production_does_not_start_without(name: str, tmp_path: Path) -> None:
    given = {**PRODUCTION, "BERTH_HOME": str(tmp_path)}
    del given[name]
    with pytest.raises(BadEnvironment, match=f"^{name} is not set"):
        load(given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "８０００"),
        ("BERTH_ENV", "prod"),
        ("BERTH_WEB_WORKERS", "0"),
        ("BERTH_SANDBOX", "gvisor"),
        ("BERTH_PROXIES", "-1"),
        ("BERTH_HOME", "/proc/berth"),
        ("BERTH_HOME", "/dev/null"),
        ("DATABASE_URL", "mysql://u@h/d"),
        ("DATABASE_URL", "localhost"),
        ("DATABASE_URL", "postgresql://u@h:port/d"),
        ("DATABASE_URL", "postgresql://u@h"),
        ("DATABASE_URL", "postgresql://h/d"),
        ("DATABASE_URL", "postgresql://u@h/d?sslmood=require"),
        ("DATABASE_APP_URL", "sqlite:///x"),
        ("REDIS_URL", "http://cache"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://h:port/0"),
        ("STORAGE_URL", "/srv/files"),
        ("STORAGE_URL", "s3:///prefix"),
        ("STORAGE_URL", "file://srv/files"),
        ("AWS_ENDPOINT_URL", "minio:9000"),
        ("EMAIL_URL", "mail.example.com"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b:x"),
        ("KAFKA_PROPERTIES", "/nowhere/kafka.properties"),
        ("KAFKA_PROPERTIES", __file__),
        ("ALLOWED_HOSTS", "https://models.example.com"),
        ("ALLOWED_HOSTS", "models.example.com:8000"),
        ("ALLOWED_HOSTS", ","),
        ("BERTH_SIGNING_KEY", "not base64"),
        ("BERTH_SIGNING_KEY", base64.b64encode(b"short").decode()),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(
    name: str, value: str, tmp_path: Path
) -> None:
    with pytest.raises(BadEnvironment) as caught:
        load({"BERTH_HOME": str(tmp_path), name: value})
    sentence = str(caught.value)
    assert sentence.startswith(name)
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_properties_of_kafka_come_out_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# ours\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b,c\n")
    env = load({"BERTH_HOME": str(tmp_path / "var"), "KAFKA_PROPERTIES": str(file)})
    assert env.kafka_properties == {"security.protocol": "SASL_SSL", "sasl.password": "a=b,c"}
    assert "a=b" not in repr(env)


def test_a_short_secret_key_is_refused_in_production(tmp_path: Path) -> None:
    with pytest.raises(BadEnvironment, match="SECRET_KEY has 49 characters"):
        load({**PRODUCTION, "BERTH_HOME": str(tmp_path), "SECRET_KEY": "k" * 49})


def test_a_wrong_database_url_does_not_show_its_password(tmp_path: Path) -> None:
    url = "postgresql://u:hunter2@h:port/d"
    with pytest.raises(BadEnvironment) as caught:
        load({"BERTH_HOME": str(tmp_path), "DATABASE_URL": url})
    assert "hunter2" not in str(caught.value)


def test_each_variable_is_described_once() -> None:
    names = [variable.name for variable in VARIABLES]
    assert len(names) == len(set(names))
    assert all(variable.default and variable.meaning.endswith(".") for variable in VARIABLES)


def test_links_in_mails_lead_to_the_first_host_unless_the_operator_says_where(
    tmp_path: Path,
) -> None:
    home = {"BERTH_HOME": str(tmp_path)}
    assert load({**home, "PORT": "9000"}).url == "http://localhost:9000"
    hosts = {"ALLOWED_HOSTS": ".example.com,models.example.com"}
    assert load({**PRODUCTION, **home, **hosts}).url == "https://models.example.com"
    assert load({**home, "BERTH_URL": "https://berth.example/"}).url == "https://berth.example"
    for wrong in ("berth.example", "https://berth.example/path", "https://user@berth.example"):
        with pytest.raises(BadEnvironment, match="set it to https://HOST, without a path"):
            load({**home, "BERTH_URL": wrong})


def test_hosts_that_webhooks_may_call_are_named_one_by_one(tmp_path: Path) -> None:
    home = {"BERTH_HOME": str(tmp_path)}
    given = "Hooks.internal, 10.1.2.3:8080,[fd00::1]:80,"
    named = ("hooks.internal", "10.1.2.3:8080", "[fd00::1]:80")
    assert load({**home, "BERTH_WEBHOOK_HOSTS": given}).webhook_hosts == named
    assert load(home).webhook_hosts == ()
    for wrong in ("http://hooks.internal", "*", "10.0.0.0/8"):
        with pytest.raises(BadEnvironment, match="set it to HOST or HOST:PORT"):
            load({**home, "BERTH_WEBHOOK_HOSTS": wrong})
