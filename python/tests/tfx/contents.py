"""What an SQLite store holds, read past every client, in a form that compares between runs."""

import contextlib
import re
import sqlite3

TIMES = re.compile(r"_time_since_epoch$|^milliseconds_since_epoch$")
# Numbers of links, which no client sees: a link that is there already may take one with it.
LINKS = ("Association", "Attribution")
# What differs from run to run by its nature, in the order in which it is looked for.
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "COMMIT"),
)


def plain(text, folder):
    """A text without the folder it was made in, and without what varies."""
    text = text.replace(str(folder), "FOLDER")
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text


def contents(file, folder):
    """All rows of MLMD's tables as sorted texts, ids and all, without times and what is ours."""
    rows = []
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (table,) in sorted(map(tuple, tables)):
            if table.startswith(("hw_", "sqlite_")):
                continue
            for row in database.execute(f'SELECT * FROM "{table}"'):
                cells = ", ".join(
                    f"{name}={row[name]!r}"
                    for name in sorted(row.keys())
                    if not TIMES.search(name) and not (name == "id" and table in LINKS)
                )
                rows.append(plain(f"{table}: {cells}", folder))
    return sorted(rows)
