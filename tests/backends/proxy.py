"""A TCP proxy that makes a network far away or broken, and counts the round trips over it.

In a test, where it runs as a process of its own:

    with Proxy("127.0.0.1", 5432, round_trip_ms=20) as proxy:
        ...                                   # connect to 127.0.0.1, port proxy.port
        assert proxy.round_trips() <= 6

By hand, with a command a line on stdin and an answer a line on stdout, until stdin ends:

    python proxy.py 15432 127.0.0.1:5432 --round-trip-ms 20

| command | what it does |
|---|---|
| `count` | tells the round trips of each connection, in the order in which they were made |
| `reset` | counts from zero again; connections that have ended are forgotten |
| `cut` | resets all connections |
| `refuse` | refuses new connections; those that there are go on |
| `black-hole` | takes connections and bytes and passes nothing on |
| `pause` | holds everything back, new connections too |
| `resume` | ends `refuse`, `black-hole` and `pause` |

Half of the delay is added in each direction, to each piece when it arrives: what was sent together
arrives together, however much it is. Making a connection is not delayed.

A round trip is counted when the client sends something after something was delivered to it, or for
the first time. So a request in pieces is one, and so are requests that were sent without waiting
for the answers; a client that sends at the very moment when an answer comes has not waited for it,
but counts as if it had. What the server sends of its own accord counts nothing.

After a pause everything arrives. What a black hole swallowed is lost: when it ends, connections
that lost something are reset, and the others go on.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading

HOST = "127.0.0.1"
PIECE_BYTES_MAX = 64 * 1024
PIECES_ON_THE_WAY_MAX = 4096
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets


class Connection:
    """One client, its connection to the server, and its round trips."""

    def __init__(self, forwarder, reader, writer):
        self.forwarder = forwarder
        self.client = reader, writer
        self.writers = [writer]
        self.round_trips = 0
        self.may_wait_for_client = True
        self.has_lost_something = False
        self.is_open = True

    async def run(self):
        try:
            await self.forwarder.may_pass.wait()
            if self.forwarder.is_black_hole:
                self.has_lost_something = True
                await asyncio.Event().wait()  # until it is cut
            server = await asyncio.open_connection(*self.forwarder.target)
            self.writers.append(server[1])
            await self.pass_all_on(*server)
            self.close()
        finally:
            self.cut()

    async def pass_all_on(self, server_reader, server_writer):
        """Passes on what either end sends, until both have ended or one fails."""
        client_reader, client_writer = self.client
        to_server = asyncio.Queue(PIECES_ON_THE_WAY_MAX)
        to_client = asyncio.Queue(PIECES_ON_THE_WAY_MAX)
        work = [
            self.collect(client_reader, to_server, from_client=True),
            self.deliver(to_server, server_writer, from_client=True),
            self.collect(server_reader, to_client, from_client=False),
            self.deliver(to_client, client_writer, from_client=False),
        ]
        tasks = [asyncio.ensure_future(each) for each in work]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def collect(self, reader, pieces, from_client):
        """Takes pieces as they come, each with the time when it is due; an empty one at the end."""
        now, piece = asyncio.get_running_loop().time, True
        while piece:
            piece = await reader.read(PIECE_BYTES_MAX)
            if from_client and piece and self.may_wait_for_client:
                self.round_trips += 1
                self.may_wait_for_client = False
            await pieces.put((now() + self.forwarder.delay, piece))

    async def deliver(self, pieces, writer, from_client):
        now, piece = asyncio.get_running_loop().time, True
        while piece:
            due, piece = await pieces.get()
            await asyncio.sleep(due - now())
            await self.forwarder.may_pass.wait()
            if self.forwarder.is_black_hole:
                self.has_lost_something = True
            elif piece:
                writer.write(piece)
                self.may_wait_for_client |= not from_client
                await writer.drain()
            elif not self.has_lost_something:
                writer.write_eof()

    def close(self):
        """Ends what has come to its end: what is still to be sent is sent."""
        for writer in self.writers:
            writer.close()
        self.writers = []

    def cut(self):
        self.is_open = False
        for writer in self.writers:
            end = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class Forwarder:
    """The proxy itself, for one event loop."""

    def __init__(self, listen, target, round_trip_ms):
        self.target = target
        self.delay = round_trip_ms / 2000
        self.connections = []
        self.tasks = {}
        self.may_pass = asyncio.Event()
        self.may_pass.set()
        self.is_black_hole = False
        self.listener = None
        # Bound and never listening: keeps the port ours while connections are refused.
        self.holder = self.bound_socket(listen)
        self.port = self.holder.getsockname()[1]

    @staticmethod
    def bound_socket(port):
        # asyncio turns Nagle's algorithm off only where the protocol is spelt out. Held back by it,
        # the second of two answers would wait 40 ms for the receipt of the first.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((HOST, port))
        return bound

    async def accept(self, reader, writer):
        connection = Connection(self, reader, writer)
        self.connections.append(connection)
        self.tasks[connection] = asyncio.current_task()
        try:
            await connection.run()
        except (OSError, asyncio.CancelledError):
            pass  # an end is gone, and so is the other now; or both were cut
        finally:
            del self.tasks[connection]

    async def count(self):
        return [connection.round_trips for connection in self.connections]

    async def reset(self):
        self.connections = [each for each in self.connections if each.is_open]
        for connection in self.connections:
            connection.round_trips = 0

    async def cut(self):
        await self.cut_those(list(self.tasks))

    async def cut_those(self, connections):
        tasks = [self.tasks[connection] for connection in connections]
        for connection, task in zip(connections, tasks, strict=True):
            connection.cut()
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def refuse(self):
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    async def black_hole(self):
        self.is_black_hole = True
        self.may_pass.set()

    async def pause(self):
        self.may_pass.clear()

    async def resume(self):
        if self.is_black_hole:
            self.is_black_hole = False
            await self.cut_those([each for each in self.tasks if each.has_lost_something])
        self.may_pass.set()
        if self.listener is None:
            listening = self.bound_socket(self.port)
            self.listener = await asyncio.start_server(self.accept, sock=listening, backlog=1024)


COMMANDS = {
    "count": Forwarder.count,
    "reset": Forwarder.reset,
    "cut": Forwarder.cut,
    "refuse": Forwarder.refuse,
    "black-hole": Forwarder.black_hole,
    "pause": Forwarder.pause,
    "resume": Forwarder.resume,
}


def obey(forwarder, loop, end):
    """Reads commands until stdin ends."""
    for line in sys.stdin:
        command, answer = COMMANDS.get(line.strip()), {"error": f"one of {', '.join(COMMANDS)}"}
        if command is not None:
            done = asyncio.run_coroutine_threadsafe(command(forwarder), loop).result()
            answer = {"ok": done}
        print(json.dumps(answer), flush=True)
    loop.call_soon_threadsafe(end.set)


async def run(listen, target, round_trip_ms):
    forwarder, end = Forwarder(listen, target, round_trip_ms), asyncio.Event()
    await forwarder.resume()
    print(json.dumps({"ok": forwarder.port}), flush=True)
    loop = asyncio.get_running_loop()
    threading.Thread(target=obey, args=(forwarder, loop, end), daemon=True).start()
    await end.wait()
    await forwarder.refuse()
    await forwarder.cut()


class Proxy:
    """A proxy in a process of its own, which ends with this object or with the caller."""

    def __init__(self, host, port, round_trip_ms=0, listen=0):
        command = [__file__, str(listen), f"{host}:{port}", "--round-trip-ms", str(round_trip_ms)]
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.host, self.port = HOST, self._answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def _answer(self):
        return json.loads(self.process.stdout.readline())["ok"]

    def _tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._answer()

    def connections(self):
        """The round trips of each connection since the start or the last `reset`."""
        return self._tell("count")

    def round_trips(self):
        """The round trips of all connections since the start or the last `reset`."""
        return sum(self.connections())

    def reset(self):
        self._tell("reset")

    def cut(self):
        self._tell("cut")

    def refuse(self):
        self._tell("refuse")

    def black_hole(self):
        self._tell("black-hole")

    def pause(self):
        self._tell("pause")

    def resume(self):
        self._tell("resume")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("listen", type=int, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("target", help="the server, as HOST:PORT")
    parser.add_argument("--round-trip-ms", type=float, default=0)
    given = parser.parse_args()
    host, _, port = given.target.rpartition(":")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(given.listen, (host, int(port)), given.round_trip_ms))


if __name__ == "__main__":
    main()
