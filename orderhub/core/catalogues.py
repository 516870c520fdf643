"""Compiles the translation catalogues without gettext, so that a bare machine speaks Chinese."""

import os
from pathlib import Path

import polib


def compile_stale(locale_dir: Path) -> list[Path]:
    """Write the `.mo` file of every `.po` file below `locale_dir` that is newer than it; returns what was written."""
    return [compile_one(po) for po in sorted(locale_dir.glob("*/LC_MESSAGES/*.po")) if is_stale(po)]


def is_stale(po: Path) -> bool:
    """Tell whether a catalogue was changed after it was compiled, or never was."""
    mo = po.with_suffix(".mo")
    return not mo.exists() or mo.stat().st_mtime_ns < po.stat().st_mtime_ns


def compile_one(po: Path) -> Path:
    """Compile one catalogue; readers never see half of it. Fuzzy entries stay out, as with msgfmt."""
    mo = po.with_suffix(".mo")
    draft = mo.with_suffix(f".{os.getpid()}")
    polib.pofile(str(po)).save_as_mofile(str(draft))
    draft.replace(mo)
    return mo
