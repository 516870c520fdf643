"""One small registry for every extension point: a file dropped into a folder is live."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from threading import RLock
from typing import Generic, TypeVar

T = TypeVar("T")
_LOADING = RLock()
"""One for all: the modules of one folder may look into another registry while they are imported."""


class UnknownKeyError(LookupError):
    """A stored key has no code behind it (any more)."""


class Registry(Generic[T]):
    """Items by key, in order of registration.

    `package` is the extension folder; its modules are imported at the first look-up, so adding an extension edits
    no other file. A second registration under one key raises ValueError.
    """

    def __init__(self, name: str, package: str | None = None) -> None:
        self.name = name
        self._package = package
        self._items: dict[str, T] = {}
        self._loaded = package is None
        self._is_loading = False

    def add(self, key: str, item: T) -> T:
        """Register `item` under `key` and return it."""
        if key in self._items:
            raise ValueError(f"{self.name} {key!r} is registered twice")
        self._items[key] = item
        return item

    def register(self, key: str) -> Callable[[T], T]:
        """Decorate a function or class to register it under `key`."""
        return lambda item: self.add(key, item)

    def get(self, key: str) -> T:
        """Return the item, or raise UnknownKeyError that names what is known."""
        self._load()
        try:
            return self._items[key]
        except KeyError:
            known = ", ".join(self._items) or "none"
            raise UnknownKeyError(f"unknown {self.name} {key!r} (known: {known})") from None

    def __contains__(self, key: object) -> bool:
        self._load()
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(tuple(self._items))

    def items(self) -> list[tuple[str, T]]:
        """Return all (key, item) pairs in order of registration."""
        self._load()
        return list(self._items.items())

    def values(self) -> list[T]:
        """Return all items in order of registration."""
        self._load()
        return list(self._items.values())

    def _load(self) -> None:
        """Import the folder, once; another thread waits until all of it is there."""
        if self._loaded:
            return
        with _LOADING:
            if self._loaded or self._is_loading or self._package is None:
                return
            self._is_loading = True
            try:
                _import_all(self._package)
                self._loaded = True
            finally:
                self._is_loading = False


def _import_all(folder: str) -> None:
    package = import_module(folder)
    for module in iter_modules(package.__path__):
        if not module.name.startswith("_") and module.name not in {"base", "exchange", "http"}:
            import_module(f"{folder}.{module.name}")
