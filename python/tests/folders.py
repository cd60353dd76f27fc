"""Folders with code, for tests."""

import io
import os
import tarfile
from pathlib import Path


def write(folder, files):
    for name, data in files.items():
        path = Path(os.fsdecode(os.path.join(os.fsencode(str(folder)), os.fsencode(name))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


def names_in(code):
    with tarfile.open(fileobj=io.BytesIO(code.snapshot)) as archive:
        return sorted(archive.getnames())
