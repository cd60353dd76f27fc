"""A store to call, in this process or on a server."""

from __future__ import annotations

from types import TracebackType
from typing import Optional

from headwater import _native
from headwater._methods import Methods, Transport


class Store(Methods):
    """A store. Every call is one transaction; any number of threads may call at once.

    It is a context manager that closes it. A process that was forked must open its own.
    """

    def __init__(self, transport: Transport, url: str) -> None:
        """Use :func:`headwater.open`."""
        self._transport = transport
        self.url = url

    def close(self) -> None:
        """Lets go of files and connections. A closed store stays closed."""
        self._transport.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<headwater.Store {self.url}>"


def open(url: str, *, read_only: bool = False, upgrade: bool = False) -> Store:  # noqa: A001
    """Opens a store, and makes it if it is not there.

    Args:
      url: ``sqlite:PATH``, ``sqlite::memory:``, ``postgres://USER@HOST/DATABASE``,
        ``mysql://USER@HOST/DATABASE``, or ``grpc://HOST:PORT`` and ``grpcs://HOST:PORT`` for a
        Headwater or MLMD server (needs ``pip install headwater[grpc]``).
      read_only: writes fail with FailedPreconditionError, and nothing is made.
      upgrade: a database of an older schema version is brought to the present one; without this it
        is refused.

    Raises:
      headwater.errors.StatusError: the store cannot be opened; its text says why.
    """
    scheme, found, address = url.partition("://")
    if found and scheme in ("grpc", "grpcs"):
        if read_only or upgrade:
            raise ValueError("read_only and upgrade are up to the server")
        from headwater.remote import Server

        return Store(Server(address, encrypted=scheme == "grpcs"), url)
    opened = _native.Store.open(url, read_only=read_only, upgrade=upgrade)
    return Store(opened, opened.url)
