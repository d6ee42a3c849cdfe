"""Everything an operator may set, read and checked once.

``load()`` is the only reader of these variables; nothing else in Berth looks them up. What is
wrong ends the start with one sentence that names the variable and what to do.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from berth.feed.properties import read_properties
from portal.sockets import postgres_socket, valkey_socket

OWNER = "berth"
DATABASE = "berth"


class BadEnvironment(ValueError):
    """A variable that Berth can't start with. Its text is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One line of the table in the README."""

    name: str
    default: str
    meaning: str


VARIABLES = (
    Variable("PORT", "8000", "The port that the portal listens on."),
    Variable("HOST", "127.0.0.1", "The address that it listens on; 0.0.0.0 is every one."),
    Variable("BERTH_HOME", "./var", "The folder of the embedded database, files and journals."),
    Variable("BERTH_ENV", "development", "development or production."),
    Variable(
        "BERTH_SANDBOX",
        "auto",
        "What uploads are opened in: auto, bubblewrap, landlock or off; see docs/sandbox.md.",
    ),
    Variable(
        "BERTH_OWN_CODE",
        "0",
        "1 lets organisations that choose so upload pipelines with classes and functions of their"
        " own, run inside the sandbox; see docs/sandbox.md.",
    ),
    Variable(
        "BERTH_NATIVE_PROCESSES",
        "4",
        "How many models that have no ONNX may each web process and each worker keep running.",
    ),
    Variable(
        "BERTH_NATIVE_MEMORY",
        "1536",
        "MiB of address space that each of these may take, of which an empty one takes 400.",
    ),
    Variable("BERTH_WEB_WORKERS", "2", "How many web processes answer."),
    Variable(
        "BERTH_PROXIES",
        "0",
        "How many proxies of yours stand before Berth, each adding to X-Forwarded-For: visitors"
        " are told apart by it. With 0 the header is not believed.",
    ),
    Variable(
        "DATABASE_URL",
        "the embedded PostgreSQL",
        "postgresql://USER:PASSWORD@HOST/DATABASE of the role that owns the tables;"
        " required in production.",
    ),
    Variable(
        "DATABASE_APP_URL",
        "DATABASE_URL as the role DATABASE_app",
        "The role that the application connects as; it owns nothing. Made by `manage.py prepare`.",
    ),
    Variable(
        "REDIS_URL",
        "the embedded Valkey",
        "redis://, rediss:// or unix:// of the broker, cache and rate limits;"
        " required in production.",
    ),
    Variable(
        "STORAGE_URL",
        "files in BERTH_HOME",
        "Where uploads and results lie: file:///FOLDER or s3://BUCKET/PREFIX.",
    ),
    Variable("AWS_ENDPOINT_URL", "Amazon's", "The S3 endpoint, where it is not Amazon's."),
    Variable("KAFKA_BOOTSTRAP_SERVERS", "off", "HOST:PORT,… of the brokers of the model feed."),
    Variable(
        "KAFKA_PROPERTIES",
        "none",
        "A file with name=value on each line, where the brokers want TLS or a password; see"
        " docs/kafka.md.",
    ),
    Variable(
        "EMAIL_URL",
        "mails are written to the log",
        "smtp://, smtp+tls:// or smtp+ssl://USER:PASSWORD@HOST:PORT of the mail server.",
    ),
    Variable(
        "BERTH_URL",
        "made from ALLOWED_HOSTS",
        "https://HOST, where people reach the portal: links in mails begin with it.",
    ),
    Variable(
        "BERTH_WEBHOOK_HOSTS",
        "none",
        "HOST or HOST:PORT, with commas: hosts of your own network that webhooks may call, also"
        " by http. Without it they reach the public internet alone; see docs/webhooks.md.",
    ),
    Variable("EMAIL_FROM", "berth@localhost", "The address that mails come from."),
    Variable(
        "SECRET_KEY",
        "made and kept in BERTH_HOME",
        "Signs sessions and derives passwords; required in production, 50 characters or more.",
    ),
    Variable(
        "ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1]",
        "The host names that the portal answers to, with commas; required in production.",
    ),
    Variable(
        "BERTH_SIGNING_KEY",
        "made and kept in BERTH_HOME",
        "The Ed25519 key that signs Bundles: 32 bytes in base64. All processes share one.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What was set, checked and completed. URLs are as given; ``home`` is absolute and exists."""

    production: bool
    host: str
    port: int
    home: Path
    database_url: str = field(repr=False)
    database_app_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    storage_url: str
    aws_endpoint_url: str | None
    kafka_bootstrap_servers: str | None
    kafka_properties: Mapping[str, str] = field(repr=False)
    email_url: str | None = field(repr=False)
    email_from: str
    url: str
    webhook_hosts: tuple[str, ...]
    secret_key: str = field(repr=False)
    allowed_hosts: tuple[str, ...]
    web_workers: int
    proxies: int
    signing_key: bytes = field(repr=False)
    sandbox: str
    own_code: bool
    native_processes: int
    native_memory: int


def load(environ: Mapping[str, str] | None = None) -> Environment:
    """Read ``environ`` (default: the process's own). An empty value counts as not set.

    Makes BERTH_HOME and, where they are not given, the keys in it. Raises BadEnvironment.
    """
    found = os.environ if environ is None else environ
    given = {name: value.strip() for name, value in found.items() if value.strip()}
    production = _choice(given, "BERTH_ENV", ("development", "production")) == "production"
    if production:
        _require(given, "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS")
    home = _home(given.get("BERTH_HOME", "var"))
    secret_key = _secret_key(given, home, production)
    database_url = _database_url(given, home)
    return Environment(
        production=production,
        host=given.get("HOST", "127.0.0.1"),
        port=_integer(given, "PORT", 8000, 1, 65535),
        home=home,
        database_url=database_url,
        database_app_url=_app_url(given, database_url, secret_key),
        redis_url=_redis_url(given, home),
        storage_url=_storage_url(given, home),
        aws_endpoint_url=_endpoint(given),
        email_url=_email_url(given),
        email_from=given.get("EMAIL_FROM", "berth@localhost"),
        url=_url(given, production),
        webhook_hosts=_webhook_hosts(given),
        kafka_bootstrap_servers=_brokers(given),
        kafka_properties=_properties(given),
        secret_key=secret_key,
        allowed_hosts=_hosts(given),
        web_workers=_integer(given, "BERTH_WEB_WORKERS", 2, 1, 64),
        proxies=_integer(given, "BERTH_PROXIES", 0, 0, 9),
        signing_key=_signing_key(given, home),
        sandbox=_choice(given, "BERTH_SANDBOX", ("auto", "bubblewrap", "landlock", "off")),
        own_code=_choice(given, "BERTH_OWN_CODE", ("0", "1")) == "1",
        native_processes=_integer(given, "BERTH_NATIVE_PROCESSES", 4, 1, 64),
        native_memory=_integer(given, "BERTH_NATIVE_MEMORY", 1_536, 512, 1 << 20),
    )


def _require(given: Mapping[str, str], *names: str) -> None:
    for name in names:
        if name not in given:
            raise BadEnvironment(f"{name} is not set: BERTH_ENV=production requires it, so set it.")


def _choice(given: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = given.get(name, choices[0])
    if value not in choices:
        raise BadEnvironment(f"{name} is {value!r}: set it to {' or '.join(choices)}.")
    return value


def _integer(given: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = given.get(name, str(default))
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise BadEnvironment(
            f"{name} is {value!r}: set it to a whole number from {low} to {high},"
            f" for example {name}={default}."
        )
    return int(value)


def _home(value: str) -> Path:
    home = Path(os.path.abspath(Path(value).expanduser()))
    try:
        if not home.exists():
            home.mkdir(parents=True)
            # PostgreSQL, run by root as another user, passes through; it may not look around.
            # Said anew because a strict umask would have closed the folder altogether.
            home.chmod(0o711)
        _try_to_write(home)
    except OSError as error:
        raise BadEnvironment(
            f"BERTH_HOME is {str(home)!r}, and nothing can be written there"
            f" ({(error.strerror or str(error)).lower()}): set it to a folder you may write to."
        ) from error
    return home


def _try_to_write(home: Path) -> None:
    probe = home / f".writable-{os.getpid()}-{secrets.token_hex(4)}"
    probe.touch()
    probe.unlink()


def _kept(path: Path, made: bytes) -> bytes:
    """The bytes kept in ``path``; ``made`` is kept there, for our eyes only, if there are none.

    Of several processes that start together, one's bytes win and all of them read those.
    """
    try:
        draft = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        if not path.exists():
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(made)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # another process was first
            finally:
                draft.unlink()
        return path.read_bytes()
    except OSError as error:
        raise BadEnvironment(
            f"BERTH_HOME holds {path.name}, which this user can't read"
            f" ({(error.strerror or str(error)).lower()}): run as the user that made it,"
            " or set BERTH_HOME to another folder."
        ) from error


def _secret_key(given: Mapping[str, str], home: Path, production: bool) -> str:
    key = given.get("SECRET_KEY")
    if key is None:
        return _kept(home / "secret_key", secrets.token_urlsafe(48).encode()).decode().strip()
    if production and len(key) < 50:
        raise BadEnvironment(
            f"SECRET_KEY has {len(key)} characters: production requires at least 50,"
            ' for example from `python3 -c "import secrets; print(secrets.token_urlsafe(48))"`.'
        )
    return key


def _signing_key(given: Mapping[str, str], home: Path) -> bytes:
    made = base64.b64encode(secrets.token_bytes(32))
    source, text = "BERTH_SIGNING_KEY", given.get("BERTH_SIGNING_KEY", "").encode()
    if not text:
        source, text = f"{home / 'signing_key'}", _kept(home / "signing_key", made)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise BadEnvironment(
            f"{source} is not an Ed25519 key: it has to hold 32 bytes in base64,"
            " for example from `openssl rand -base64 32`."
        )
    return key


def _database_url(given: Mapping[str, str], home: Path) -> str:
    if "DATABASE_URL" in given:
        return _checked_database("DATABASE_URL", given["DATABASE_URL"])
    return f"postgresql://{OWNER}@{quote(str(postgres_socket(home)), safe='')}/{DATABASE}"


def _checked_database(name: str, url: str) -> str:
    form = f"set {name} to postgresql://USER:PASSWORD@HOST:5432/DATABASE"
    scheme = url.partition("://")[0]
    if "://" not in url or scheme not in ("postgresql", "postgres"):
        raise BadEnvironment(f"{name} is not the URL of a PostgreSQL database: {form}.")
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise BadEnvironment(f"{name} can't be read ({_first_line(error)}): {form}.") from error
    if not str(parts.get("port", "5432")).isdigit():
        raise BadEnvironment(f"{name} has {parts['port']!r} where a port belongs: {form}.")
    for part, meaning in (("dbname", "database"), ("user", "user")):
        if not parts.get(part):
            raise BadEnvironment(f"{name} names no {meaning}: {form}.")
    return url


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].strip().rstrip(".")


def _app_url(given: Mapping[str, str], owner_url: str, secret_key: str) -> str:
    """The owner's URL with the application's own role and a password only we can derive."""
    if "DATABASE_APP_URL" in given:
        return _checked_database("DATABASE_APP_URL", given["DATABASE_APP_URL"])
    role = f"{conninfo_to_dict(owner_url)['dbname']}_app"
    password = hmac.digest(secret_key.encode(), b"berth: the application's role", hashlib.sha256)
    scheme, _, rest = owner_url.partition("://")
    authority, slash, path = rest.partition("/")
    return (
        f"{scheme}://{quote(role, safe='')}:{password.hex()}@"
        f"{authority.rpartition('@')[2]}{slash}{path}"
    )


def _redis_url(given: Mapping[str, str], home: Path) -> str:
    url = given.get("REDIS_URL")
    if url is None:
        return f"unix://{quote(str(valkey_socket(home)))}"
    form = "set it to redis://HOST:6379/0, rediss://… or unix:///PATH"
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise BadEnvironment(f"REDIS_URL is not the URL of a Valkey or Redis: {form}.")
    try:
        named = bool(parts.path if parts.scheme == "unix" else parts.hostname and (parts.port or 1))
    except ValueError as error:
        raise BadEnvironment(f"REDIS_URL has no valid port: {form}.") from error
    if not named:
        raise BadEnvironment(f"REDIS_URL names no server: {form}.")
    return url


def _storage_url(given: Mapping[str, str], home: Path) -> str:
    url = given.get("STORAGE_URL")
    if url is None:
        return (home / "files").as_uri()
    parts = urlsplit(url)
    if parts.scheme not in ("file", "s3"):
        raise BadEnvironment(
            f"STORAGE_URL is {url!r}: set it to file:///FOLDER or s3://BUCKET/PREFIX."
        )
    if parts.scheme == "s3" and not parts.netloc:
        raise BadEnvironment("STORAGE_URL names no bucket: set it to s3://BUCKET/PREFIX.")
    if parts.scheme == "file" and (parts.netloc or parts.path in ("", "/")):
        raise BadEnvironment(
            f"STORAGE_URL is {url!r}, which names no folder: a file URL has three slashes,"
            " so set it to file:///FOLDER."
        )
    return url


def _endpoint(given: Mapping[str, str]) -> str | None:
    url = given.get("AWS_ENDPOINT_URL")
    if url is not None and not url.startswith(("http://", "https://")):
        raise BadEnvironment(
            f"AWS_ENDPOINT_URL is {url!r}: set it to http://HOST:PORT or https://HOST."
        )
    return url


def _email_url(given: Mapping[str, str]) -> str | None:
    url = given.get("EMAIL_URL")
    if url is not None and not url.startswith(("smtp://", "smtp+tls://", "smtp+ssl://")):
        raise BadEnvironment(
            "EMAIL_URL names no mail server: set it to smtp+tls://USER:PASSWORD@HOST:PORT"
            " (or smtp:// or smtp+ssl://)."
        )
    return url


def _url(given: Mapping[str, str], production: bool) -> str:
    url = given.get("BERTH_URL")
    if url is None:
        names = [host for host in _hosts(given) if not host.startswith((".", "*"))]
        host = names[0] if names else "localhost"
        return f"https://{host}" if production else f"http://{host}:{given.get('PORT', 8000)}"
    if not re.fullmatch(r"https?://[^/?#\s@]+/?", url):
        raise BadEnvironment(f"BERTH_URL is {url!r}: set it to https://HOST, without a path.")
    return url.rstrip("/")


def _webhook_hosts(given: Mapping[str, str]) -> tuple[str, ...]:
    hosts = [host.strip().lower() for host in given.get("BERTH_WEBHOOK_HOSTS", "").split(",")]
    for host in filter(None, hosts):
        if not re.fullmatch(r"([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", host):
            raise BadEnvironment(
                f"BERTH_WEBHOOK_HOSTS has {host!r}: set it to HOST or HOST:PORT,"
                " several with commas between them, for example hooks.example.internal."
            )
    return tuple(filter(None, hosts))


def _brokers(given: Mapping[str, str]) -> str | None:
    value = given.get("KAFKA_BOOTSTRAP_SERVERS")
    for broker in (value or "").split(",") if value else []:
        host, _, port = broker.strip().rpartition(":")
        if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise BadEnvironment(
                f"KAFKA_BOOTSTRAP_SERVERS has {broker!r}: set it to HOST:PORT,"
                " several with commas between them."
            )
    return value


def _properties(given: Mapping[str, str]) -> Mapping[str, str]:
    path = given.get("KAFKA_PROPERTIES")
    if path is None:
        return {}
    try:
        return read_properties(Path(path))
    except (OSError, ValueError) as error:
        raise BadEnvironment(
            f"KAFKA_PROPERTIES is {path!r}, which can't be used ({error}): set it to a file with"
            " name=value on each line, for example security.protocol=SSL."
        ) from error


def _hosts(given: Mapping[str, str]) -> tuple[str, ...]:
    value = given.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
    hosts = tuple(host.strip() for host in value.split(",") if host.strip())
    for host in hosts:
        if "/" in host or (":" in host and not host.startswith("[")):
            raise BadEnvironment(
                f"ALLOWED_HOSTS has {host!r}: set it to host names alone,"
                " without scheme, port or path, for example models.example.com."
            )
    if not hosts:
        raise BadEnvironment("ALLOWED_HOSTS names no host: set it to one or more host names.")
    return hosts
