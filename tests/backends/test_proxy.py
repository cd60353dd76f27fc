"""The proxy that the other tests measure with: what it adds, counts and breaks, exactly."""

import contextlib
import os
import socket
import socketserver
import statistics
import threading
import time

import pytest

from proxy import Proxy

SILENCE_SECONDS = 0.3


class Peer(socketserver.ThreadingTCPServer):
    """Sends back what comes, as soon as it ends with `last`; `received` is all that ever came."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, greeting=b"", last=b""):
        super().__init__(("127.0.0.1", 0), self.echo)
        self.greeting, self.last, self.received = greeting, last, bytearray()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def echo(self, connection, *_):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(self.greeting)
        held = b""
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                self.received += data
                held += data
                if held.endswith(self.last):
                    connection.sendall(held)
                    held = b""


@pytest.fixture
def peer():
    with Peer() as server:
        yield server
        server.shutdown()


@pytest.fixture
def through(peer):
    """Makes proxies before the peer, and clients of them."""
    with contextlib.ExitStack() as open_ones:

        def make(round_trip_ms=0):
            host, port = peer.server_address
            return open_ones.enter_context(Proxy(host, port, round_trip_ms))

        yield make


def connect(proxy):
    client = socket.create_connection((proxy.host, proxy.port), timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def receive(client, size):
    data = bytearray()
    while len(data) < size:
        piece = client.recv(1 << 16)
        assert piece, f"the connection ended after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


def ask(client, data=b"?"):
    """One request and its answer; gives the seconds that they took."""
    began = time.perf_counter()
    client.sendall(data)
    assert receive(client, len(data)) == data
    return time.perf_counter() - began


def is_silent(client):
    client.settimeout(SILENCE_SECONDS)
    try:
        return client.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(20)


def has_ended(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


# Delay.


def test_twenty_milliseconds_are_twenty_a_round_trip(through):
    with connect(through()) as near, connect(through(round_trip_ms=20)) as far:
        near_by = [ask(near) for _ in range(20)]
        far_away = [ask(far) for _ in range(20)]
    assert statistics.median(near_by) < 0.010
    assert min(far_away) >= 0.020
    assert statistics.median(far_away) < 0.035


def test_requests_that_do_not_wait_for_answers_are_delayed_once_and_count_once(through):
    proxy = through(round_trip_ms=500)
    with connect(proxy) as client:
        began = time.perf_counter()
        for number in range(200):
            client.sendall(bytes([number]))
            time.sleep(0.0005)  # each in a packet of its own
        assert time.perf_counter() - began < 0.4, "too slow a machine to tell"
        assert receive(client, 200) == bytes(range(200))
        assert 0.5 <= time.perf_counter() - began < 2
    assert proxy.connections() == [1]


def test_delay_does_not_limit_how_much_goes_through(through):
    sent = os.urandom(32 << 20)
    with connect(through(round_trip_ms=200)) as client:
        began = time.perf_counter()
        sender = threading.Thread(target=client.sendall, args=(sent,))
        sender.start()
        received = receive(client, len(sent))
        seconds = time.perf_counter() - began
        sender.join()
    assert received == sent
    # Piece after piece, each with its delay, would take 512 times 0.1 seconds.
    assert 0.2 <= seconds < 10


def test_the_end_of_one_direction_passes_and_the_other_goes_on(through):
    with connect(through(round_trip_ms=20)) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 10) == b"last words"
        assert client.recv(1) == b""


def test_an_answer_arrives_in_whole_although_its_sender_has_ended(through):
    sent, proxy = os.urandom(1 << 20), through()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((proxy.host, proxy.port))
        slow.sendall(sent)
        slow.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        assert receive(slow, len(sent)) == sent
        assert slow.recv(1) == b""


# Counts.


def test_round_trips_are_counted_exactly_by_connection_and_in_all(through):
    proxy = through()
    assert proxy.connections() == []
    with connect(proxy) as first, connect(proxy) as second:
        for _ in range(7):
            ask(first)
        for _ in range(3):
            ask(second, b"x" * 1000)
        assert proxy.connections() == [7, 3]
        assert proxy.round_trips() == 10
        proxy.reset()
        assert proxy.connections() == [0, 0]
        ask(second)
        assert proxy.connections() == [0, 1]
    with connect(proxy) as third:
        ask(third)
        assert proxy.connections() == [0, 1, 1]
        proxy.reset()
        assert proxy.connections() == [0]


def test_a_request_in_pieces_and_a_long_answer_are_one_round_trip(through):
    with Peer(last=b"!") as peer, Proxy(*peer.server_address, round_trip_ms=20) as proxy:
        with connect(proxy) as client:
            for count in (1, 2, 3):
                client.sendall(b"half a re")
                time.sleep(0.1)  # it arrives before the rest is sent
                client.sendall(b"quest!")
                assert receive(client, 15) == b"half a request!"
                assert proxy.connections() == [count]
            ask(client, b"x" * 1_000_000 + b"!")
            assert proxy.connections() == [4]
        peer.shutdown()


def test_what_the_server_says_first_is_no_round_trip():
    with Peer(greeting=b"welcome") as peer, Proxy(*peer.server_address) as proxy:
        with connect(proxy) as client:
            assert receive(client, 7) == b"welcome"
            assert proxy.connections() == [0]
            ask(client)
            assert proxy.connections() == [1]
        peer.shutdown()


# Faults.


def test_cut_ends_all_connections_and_new_ones_are_taken(through):
    proxy = through()
    with connect(proxy) as first, connect(proxy) as second:
        ask(first)
        ask(second)
        proxy.cut()
        assert has_ended(first)
        assert has_ended(second)
        with connect(proxy) as third:
            ask(third)


def test_refuse_turns_new_connections_away_until_resume_and_keeps_the_old(through):
    proxy = through()
    with connect(proxy) as old:
        ask(old)
        proxy.refuse()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                connect(proxy)
        ask(old)
        proxy.resume()
        with connect(proxy) as new:
            ask(new)
        ask(old)


def test_a_black_hole_takes_all_and_passes_nothing_on(through, peer):
    proxy = through()
    with connect(proxy) as idle, connect(proxy) as busy:
        ask(idle, b"idle")
        ask(busy, b"busy")
        proxy.black_hole()
        busy.sendall(b"lost")
        with connect(proxy) as new:
            new.sendall(b"lost")
            assert is_silent(new)
            assert is_silent(busy)
            assert sorted(peer.received) == sorted(b"idlebusy")
            proxy.resume()
            assert has_ended(busy)
            assert has_ended(new)
        ask(idle)
        with connect(proxy) as newer:
            ask(newer)
    assert b"lost" not in peer.received


def test_after_a_pause_everything_arrives_in_order(through, peer):
    proxy = through()
    with connect(proxy) as old:
        ask(old, b"0")
        proxy.pause()
        old.sendall(b"1")
        with connect(proxy) as new:
            new.sendall(b"2")
            assert is_silent(old)
            assert is_silent(new)
            assert peer.received == b"0"
            old.sendall(b"3")
            proxy.resume()
            assert receive(old, 2) == b"13"
            assert receive(new, 1) == b"2"
        assert proxy.connections() == [2, 1]


def test_a_server_that_is_not_there_ends_the_connection():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        with Proxy(*nobody.getsockname()) as proxy, connect(proxy) as client:
            assert has_ended(client)


def test_the_proxy_ends_with_its_user(through):
    with through() as proxy:
        client = connect(proxy)
        ask(client)
    assert proxy.process.returncode == 0
    assert has_ended(client)
    client.close()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
