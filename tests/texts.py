"""Finds the texts that people see in our sources, without gettext: what `makemessages` would collect."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("orderhub", "channels_sync", "triage")
PLAIN = {"_", "gettext", "gettext_lazy", "gettext_noop"}
WITH_CONTEXT = {"pgettext", "pgettext_lazy"}
COUNTED = {"ngettext", "ngettext_lazy"}
_STRING = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_CALL = re.compile(rf"\b(_|gettext|pgettext|ngettext)\(\s*{_STRING}(?:\s*,\s*{_STRING})?")


class Text(NamedTuple):
    """One text with the context that tells equal words apart."""

    context: str
    msgid: str


def of_python(source: str) -> Iterator[Text]:
    """Yield the texts of a Python module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            words = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            yield from _text(name, [word for word in words if isinstance(word, str)])


def of_template(source: str) -> Iterator[Text]:
    """Yield the texts of a Django template."""
    for name, *strings in _CALL.findall(templatize(source)):
        yield from _text(name, [ast.literal_eval(string) for string in strings if string])


def _text(name: str, words: list[str]) -> Iterator[Text]:
    if name in PLAIN | COUNTED and words:
        yield Text("", words[0])
    elif name in WITH_CONTEXT and len(words) > 1:
        yield Text(words[0], words[1])


def below(folder: Path) -> dict[Text, str]:
    """Return every text below a folder with the first file that uses it."""
    found: dict[Text, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".py", ".html", ".txt"} or {"migrations", "static", "sandbox"} & set(path.parts):
            continue
        source = path.read_text(encoding="utf-8")
        for text in of_python(source) if path.suffix == ".py" else of_template(source):
            if text.msgid:
                found.setdefault(text, str(path))
    return found


def ours() -> dict[Text, str]:
    """Return the texts of our packages."""
    return {text: path for package in PACKAGES for text, path in below(ROOT / package).items()}
