"""What a machine without configuration gets: random secrets and an embedded database under `var/`."""

import base64
import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = BASE_DIR / "var"


def prepare_environment(argv: list[str]) -> None:
    """Fill in what the environment does not say: `.env`, local secrets, and the embedded database."""
    _read_env_file(BASE_DIR / ".env")
    if os.environ.get("HUB_PRODUCTION"):
        return
    _read_env_file(_local_secrets())


def _local_secrets() -> Path:
    """Return the file of random secrets of this checkout, made at the first start; production refuses them."""
    path = VAR_DIR / "local-secrets.env"
    if not path.exists():
        VAR_DIR.mkdir(exist_ok=True)
        key, index = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
        text = f"HUB_SECRET_KEY=local-only-{secrets.token_urlsafe(48)}\nHUB_DATA_KEYS=local-only:{key}\nHUB_INDEX_KEY={index}\n"
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


def _read_env_file(path: Path) -> None:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())
