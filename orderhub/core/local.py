"""What a machine without configuration gets: random secrets and an embedded database under `var/`."""

import base64
import os
import secrets
from pathlib import Path

from orderhub.core import env
from orderhub.core.catalogues import compile_stale
from orderhub.core.embedded import EmbeddedServer
from orderhub.core.keeper import TEST_HOME

BASE_DIR = Path(__file__).resolve().parent.parent.parent
WITHOUT_DATABASE = frozenset(
    {"collectstatic", "compilemessages", "help", "makemessages", "sandbox", "sandbox_orders", "spectacular", "version"}
)
"""Commands for which no server is started."""
INSTALLING = frozenset({"collectstatic", "setup"})
"""Commands that an update runs; those that run afterwards may not be allowed to write into the checkout."""

_servers: dict[Path, EmbeddedServer] = {}


def var_dir() -> Path:
    """Return the folder for what this checkout makes at run time: secrets, database, state files.

    A relative one lies in the checkout, wherever a command was started.
    """
    return (BASE_DIR / (env.text("HUB_VAR_DIR", "") or "var")).resolve()


def prepare_environment(argv: list[str]) -> None:
    """Fill in what the environment does not say: `.env`, local secrets, catalogues and the embedded database.

    A production machine says everything itself; there `.env` is read, and catalogues are compiled by an update.
    """
    read_env_file(BASE_DIR / ".env")
    is_production = env.flag("HUB_PRODUCTION", False)
    if not is_production or INSTALLING & set(argv[1:2]):
        compile_stale(BASE_DIR / "locale")
    if is_production:
        return
    read_env_file(_local_secrets())
    if os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"):
        return
    server = embedded_server(for_tests=argv[1:2] == ["test"])
    if needs_database(argv):
        server.join()
    os.environ["DATABASE_URL"] = server.url()


def embedded_server(*, for_tests: bool = False) -> EmbeddedServer:
    """Return this process's handle of the embedded server of this checkout, started or not.

    The test suite has one of its own, which forgets what it was told when the machine dies and is faster for it.
    """
    home = var_dir() / (TEST_HOME if for_tests else "pg")
    return _servers.setdefault(home, EmbeddedServer(home))


def needs_database(argv: list[str]) -> bool:
    """Tell whether a command line (`manage.py COMMAND …`) may ask the database."""
    words = argv[1:]
    return bool(words) and words[0] not in WITHOUT_DATABASE and not {"-h", "--help", "--version"} & set(words)


def _local_secrets() -> Path:
    """Return the file of random secrets of this checkout, made at the first start; production refuses them."""
    path = var_dir() / "local-secrets.env"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        key, index = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
        text = (
            f"HUB_SECRET_KEY=local-only-{secrets.token_urlsafe(48)}\n"
            f"HUB_DATA_KEYS=local-only:{key}\n"
            f"HUB_INDEX_KEY={index}\n"
        )
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")
        # A hard link fails where another process was first; whichever won is read by both.
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path


def read_env_file(path: Path) -> None:
    """Take `NAME=value` lines over into the environment; what is set there already, as NAME or as NAME_FILE, stays.
    Quotes around are dropped."""
    if not path.exists():
        return
    before = dict(os.environ)
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.partition("=")
        if not separator or name.lstrip().startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        name = name.strip().removeprefix("export ")
        other = name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE"
        if not before.get(other):
            os.environ.setdefault(name, value)
