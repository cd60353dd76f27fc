"""The way from a method of `MetadataStore` to a store: in this process, or on a server."""

import os
import time

from headwater import _native
from ml_metadata import errors, proto
from ml_metadata.proto import metadata_store_service_pb2 as service


def _log():
    import logging  # takes long, and is seldom needed

    return logging.getLogger("ml_metadata")


_MAX_NUM_RETRIES_DEFAULT = 5
_RETRY_WAIT_SECONDS_MEAN = 2

# Method name -> makes its response of bytes.
_PARSE_RESPONSE = {
    method.name: getattr(service, method.output_type.name).FromString
    for method in service.DESCRIPTOR.services_by_name["MetadataStoreService"].methods
}


class Connection:
    """Sends requests of MLMD's contract to a store and raises what it answers as `errors`."""

    def __init__(self, config, enable_upgrade_migration: bool = False):
        """Opens a store.

        Args:
            config: `proto.ConnectionConfig` opens a database in this process, and makes a store in
                it if it is empty; `proto.MetadataStoreClientConfig` talks to a server, which is
                first reached by the first call.
            enable_upgrade_migration: Whether to bring a database of an older schema version up to
                date instead of refusing it. Not for servers: they do that themselves.

        Raises:
            RuntimeError: The database cannot be opened.
            ValueError: `config` is something else, or a server is to be upgraded.
            ImportError: A server is to be talked to, and grpcio is not installed.
        """
        self._config = config
        self._max_num_retries = _MAX_NUM_RETRIES_DEFAULT
        self._grpc_timeout_sec = None
        self._using_db_connection = isinstance(config, proto.ConnectionConfig)
        if self._using_db_connection:
            self._metadata_store = _open(config, enable_upgrade_migration)
            self._process = os.getpid()
            if config.HasField("retry_options"):
                self._max_num_retries = config.retry_options.max_num_retries
            return
        if not isinstance(config, proto.MetadataStoreClientConfig):
            raise ValueError(
                "`config` is to be a `proto.ConnectionConfig` or a "
                f"`proto.MetadataStoreClientConfig`, not a `{type(config).__name__}`"
            )
        if enable_upgrade_migration:
            raise ValueError(
                "a client cannot upgrade the database of its server\n"
                "hint: start the server so that it upgrades"
            )
        if config.HasField("client_timeout_sec"):
            self._grpc_timeout_sec = config.client_timeout_sec
        self._metadata_store_stub = _stub(self._get_channel(config))

    def _get_channel(self, config: proto.MetadataStoreClientConfig):
        """The gRPC channel to the server of `config`."""
        return _channel(config)

    def _call(self, method_name, request, response=None, extra_options=None):
        """Sends `request`, again while the answer is ABORTED, and gives the response.

        A `response` that is handed in is filled as well, as by MLMD's method of this name.
        """
        attempts_left = self._max_num_retries
        while True:
            try:
                return self._call_method(method_name, request, response)
            except errors.AbortedError:
                attempts_left -= 1
                # MLMD takes 0 for "for ever".
                if attempts_left <= 0:
                    _log().error("%s aborted, %d attempts", method_name, self._max_num_retries)
                    raise
            import random  # takes long, as logging does

            wait_seconds = random.expovariate(1 / _RETRY_WAIT_SECONDS_MEAN)
            _log().info("%s aborted, next attempt in %.1f s", method_name, wait_seconds)
            time.sleep(wait_seconds)

    def _call_method(self, method_name, request, response=None):
        """Sends `request` once."""
        if self._using_db_connection:
            parse = _PARSE_RESPONSE[method_name]
            answer = parse(self._call_database(method_name, request.SerializeToString()))
        else:
            answer = self._call_server(method_name, request)
        if response is not None:
            response.CopyFrom(answer)
        return answer

    def _call_database(self, method_name, request):
        try:
            return self._metadata_store.call(method_name, request)
        except errors.FailedPreconditionError:
            if os.getpid() == self._process or _is_in_memory(self._config):
                raise
        # After a fork: threads and locks of the store stayed with the parent, so this process
        # opens its own.
        self._metadata_store = _open(self._config, False)
        self._process = os.getpid()
        return self._metadata_store.call(method_name, request)

    def _call_server(self, method_name, request):
        import grpc

        try:
            return getattr(self._metadata_store_stub, method_name)(
                request, timeout=self._grpc_timeout_sec
            )
        except grpc.RpcError as error:
            raise errors.make_exception(error.details(), error.code().value[0]) from error


def _open(config, upgrade):
    """The database of `config`, as a store in this process."""
    require_database(config)
    try:
        return _native.Store.connect(config.SerializeToString(), upgrade=upgrade)
    except errors.StatusError as error:
        # What MLMD raises, and what callers repeat opening for.
        raise RuntimeError(error.message) from error


def require_database(config):
    """Raises if `config` says no database: unlike a server, MLMD's library then opens none."""
    if config.WhichOneof("config") is None:
        raise RuntimeError(
            "the connection configuration says no database\n"
            "hint: set `sqlite`, `mysql`, `postgresql` or `fake_database`"
        )


def _is_in_memory(config):
    return config.HasField("fake_database") or (
        config.HasField("sqlite") and config.sqlite.filename_uri in ("", ":memory:")
    )


def _channel(config):
    grpc = _import_grpc()
    target = f"{config.host}:{config.port}"
    arguments = config.channel_arguments
    options = [
        (f"grpc.{name}", getattr(arguments, field))
        for name, field in (
            ("max_receive_message_length", "max_receive_message_length"),
            ("http2.max_ping_strikes", "http2_max_ping_strikes"),
        )
        if arguments.HasField(field)
    ]
    if not config.HasField("ssl_config"):
        return grpc.insecure_channel(target, options=options)
    ssl = config.ssl_config
    root_certificates, private_key, certificate_chain = (
        getattr(ssl, field).encode("ascii") if ssl.HasField(field) else None
        for field in ("custom_ca", "client_key", "server_cert")
    )
    credentials = grpc.ssl_channel_credentials(root_certificates, private_key, certificate_chain)
    return grpc.secure_channel(target, credentials, options=options)


def _stub(channel):
    from ml_metadata.proto import metadata_store_service_pb2_grpc

    return metadata_store_service_pb2_grpc.MetadataStoreServiceStub(channel)


def _import_grpc():
    # Only those who talk to a server need it, and importing it takes longer than all the rest.
    try:
        import grpc
    except ImportError as error:
        raise ImportError(
            "talking to a server needs grpcio\nhint: pip install headwater[grpc]"
        ) from error
    return grpc
