//! A client of a running server: any method of the table, bytes in and bytes out.

use bytes::Bytes;
use headwater_store::Method;
use headwater_store::limits::MESSAGE_BYTES_MAX;
use tokio::runtime::Runtime;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::Failure;
use crate::grpc::BytesCodec;

/// A connection, and what runs it while somebody waits for an answer.
pub(crate) struct Remote {
    runtime: Runtime,
    channel: Channel,
}

impl Remote {
    /// Connects to a server, given by a URL as in `http://127.0.0.1:8080`.
    pub(crate) fn connect(server: &str) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let unreachable = |error: tonic::transport::Error| {
            let mut text = format!("cannot reach the server `{server}`: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            format!("{text}\nhint: `--server` takes a URL, as in http://127.0.0.1:8080")
        };
        let endpoint = Endpoint::from_shared(server.to_owned()).map_err(unreachable)?;
        let channel = runtime.block_on(endpoint.connect()).map_err(unreachable)?;
        Ok(Self { runtime, channel })
    }

    /// Calls a method. The messages of a stream become one, as fields that repeat do when messages
    /// are joined.
    pub(crate) fn call(&self, method: Method, request: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.runtime.block_on(async {
            let mut client = tonic::client::Grpc::new(self.channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX);
            let gone = |error: tonic::transport::Error| {
                Status::new(Code::Unavailable, format!("the server cannot be reached: {error}"))
            };
            client.ready().await.map_err(gone)?;
            let path = format!("/{}/{}", method.service(), method.name());
            let path = PathAndQuery::try_from(path).expect("names of methods are plain words");
            let request = tonic::Request::new(Bytes::from(request));
            let answer = client.server_streaming(request, path, BytesCodec).await?;
            let mut messages = answer.into_inner();
            let mut response = Vec::new();
            while let Some(message) = messages.message().await? {
                response.extend(message);
            }
            Ok(response)
        })
    }
}
