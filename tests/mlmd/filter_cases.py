"""Filters for the graph of `filter_graph.py`.

`ALIKE` holds those that MLMD and Headwater answer alike: nothing is said here of the answer, the
wheel is asked. Most are lines of text in `filters/`; those of `ODD` hold what a line cannot.

`MENDED` holds those that they answer differently, with both answers and the reason. An answer is
a status code, or the ids that are found, or `none` or `all`.

`ON_SERVERS` holds what Headwater answers on a database server to filters of both kinds, where it
is not what it answers on SQLite.
"""

import pathlib

FOLDER = pathlib.Path(__file__).parent / "filters"
BLANKS = "\b\t\n\v\f\r \u00a0\u2000\u2001\u2003\u2007\u200a\u202f\u205f\u3000"
NO_BLANKS = "\0\a\x1f\x7f\u0085\u1680\u180e\u200b\u2028\u2029\u2060\ufeff"
ODD = (
    "",
    " ",
    "\n",
    "\u00a0",
    "\t id = 1 \n",
    "\r\nid\r\n=\r\n1\r\n",
    *(f"id ={blank}1" for blank in BLANKS + NO_BLANKS),
    "id = 1\0",
    "\0id = 1",
    "id = 1 -- a\n AND id = 2",
    "id = 1 -- a\r OR id = 2",
    "id = 1 # a\n OR id = 2",
    "## a\nid = 1",
    "id /* a\nb */ = 1",
    "id = 1 --\\\n OR id = 2",
    "id = 1 -- \u2028 OR id = 2",
    "name = 'alpha\n'",
    "name = 'alpha\r'",
    "state\n=\nLIVE",
    "state\tNOT\nIN\n(LIVE,\nDELETED)",
    "events_a.type\n=\nINPUT",
    "id = 1" + " AND id > 0" * 200,
    "id = 1" + " OR id = 2" * 200,
    "id IN (" + ", ".join(map(str, range(500))) + ")",
    "(" * 50 + "id = 1" + ")" * 50,
    "NOT " * 20 + "id = 1",
    "id = 1" + " + 0" * 50,
    "name = '" + "a" * 10_000 + "'",
)


def lines(kind):
    """The filters of one file: one a line, but for empty lines and those with `##` before."""
    text = (FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("## ")]


ALIKE = [
    *(("artifact", line) for line in lines("language")),
    *(("artifact", odd) for odd in ODD),
    *(("artifact", line) for line in lines("artifacts")),
    *(("execution", line) for line in lines("executions")),
    *(("context", line) for line in lines("contexts")),
]


def blocks(kind):
    """The blocks of a file: a reason, and below it pairs of lines, a filter and its answers."""
    for block in (FOLDER / f"{kind}.txt").read_text(encoding="utf-8").split("\n\n"):
        reason, *rest = block.strip("\n").split("\n")
        for asked, answers in zip(rest[::2], rest[1::2], strict=True):
            yield *asked.split(": ", 1), answers.strip(), reason.removeprefix("## ")


def mended():
    for kind, filter_query, answers, reason in blocks("mended"):
        yield kind, filter_query, *answers.split(" -> "), reason


def on_servers():
    for backends, filter_query, answer, _ in blocks("on_servers"):
        for backend in backends.split():
            yield (backend, "artifact", filter_query), answer


MENDED = [
    *mended(),
    ("artifact", "NOT " * 50 + "id = 1", "INTERNAL", "1", "the stack of SQLite's parser is small"),
]
ON_SERVERS = dict(on_servers())
