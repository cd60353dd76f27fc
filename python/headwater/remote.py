"""Calls to a server. The only module that needs ``grpcio``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, cast

try:
    import grpc
except ImportError as error:
    raise ImportError("calls to a server need gRPC: pip install 'headwater[grpc]'") from error

from headwater import errors
from headwater._methods import OWN, STREAMS

# Lists and graphs are larger than the 4 MiB that gRPC takes unasked.
_MESSAGE_BYTES_MAX = 128 << 20


def _unchanged(message: bytes) -> bytes:
    return message


class Server:
    """A connection to a server, made when it is first needed and made anew when it is lost."""

    def __init__(self, address: str, *, encrypted: bool = False) -> None:
        options = [
            ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
        ]
        if encrypted:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(address, credentials, options)
        else:
            self._channel = grpc.insecure_channel(address, options)
        self._calls: dict[str, Callable[[bytes], bytes]] = {}

    def call(self, method: str, request: bytes) -> bytes:
        """Answers an encoded request. A stream's messages come as one."""
        call = self._calls.get(method)
        if call is None:
            call = self._calls[method] = self._make(method)
        try:
            return call(request)
        except grpc.RpcError as error:
            failed = cast(grpc.Call, error)
            code = failed.code().value[0]
            raise errors.make_exception(failed.details() or "", code) from error

    def _make(self, method: str) -> Callable[[bytes], bytes]:
        service = "headwater.v1.Headwater" if method in OWN else "ml_metadata.MetadataStoreService"
        path = f"/{service}/{method}"
        if method not in STREAMS:
            return cast(
                Callable[[bytes], bytes], self._channel.unary_unary(path, _unchanged, _unchanged)
            )
        stream = self._channel.unary_stream(path, _unchanged, _unchanged)
        # Messages one behind the other are one message with all their elements.
        return lambda request: b"".join(cast(Iterable[bytes], stream(request)))

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()
