//! Who calls: the store in this process, or one connection to a server.

use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes};
use headwater_store::limits::MESSAGE_BYTES_MAX;
use headwater_store::{Method, Store};
use prost::Message as _;
use tokio::runtime::Runtime;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::Failure;
use crate::steps::Step;

/// One who calls, again and again.
pub(crate) trait Caller: Send {
    /// A method of the contract, bytes in and bytes out.
    fn call(&mut self, _method: Method, _request: &[u8]) -> Result<Vec<u8>, Failure> {
        Err("the raw database knows no methods".into())
    }

    /// A method that answers with a stream; hands over each message as it comes.
    fn stream(
        &mut self,
        _method: Method,
        _request: &[u8],
        _emit: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        Err("streams are measured through a server".into())
    }

    /// Reads all rows that the statements give; how many there are.
    fn read(&mut self, _statements: &[(String, Vec<i64>)]) -> Result<usize, Failure> {
        Err("only the raw database reads rows".into())
    }

    /// Puts steps in one commit, or one step in a call of its own.
    fn put(&mut self, steps: &[Step]) -> Result<(), Failure>;
}

impl Caller for Arc<Store> {
    fn call(&mut self, method: Method, request: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(self.call_bytes(method, request)?)
    }

    fn put(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            match step {
                Step::Execution(request) => drop(Store::call(self, &**request)?),
                Step::Artifacts(request) => drop(Store::call(self, request)?),
            }
        }
        Ok(())
    }
}

/// A connection to a server.
pub(crate) struct Remote {
    runtime: Runtime,
    client: Grpc<Channel>,
}

impl Remote {
    pub(crate) fn connect(address: &str) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let channel = runtime.block_on(endpoint.connect())?;
        let client = Grpc::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Self { runtime, client })
    }

    fn send(&mut self, method: Method, request: Vec<u8>) -> Result<Bytes, Failure> {
        let path = path_of(method)?;
        let request = Request::new(Bytes::from(request));
        let client = &mut self.client;
        self.runtime.block_on(async {
            client.ready().await?;
            Ok(client.unary(request, path, BytesCodec).await?.into_inner())
        })
    }
}

fn path_of(method: Method) -> Result<PathAndQuery, Failure> {
    Ok(PathAndQuery::try_from(format!("/{}/{}", method.service(), method.name()))?)
}

impl Caller for Remote {
    fn call(&mut self, method: Method, request: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(self.send(method, request.to_vec())?.into())
    }

    fn stream(
        &mut self,
        method: Method,
        request: &[u8],
        emit: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let path = path_of(method)?;
        let request = Request::new(Bytes::copy_from_slice(request));
        let client = &mut self.client;
        self.runtime.block_on(async {
            client.ready().await?;
            let answer = client.server_streaming(request, path, BytesCodec).await?;
            let mut messages = answer.into_inner();
            while let Some(message) = messages.message().await? {
                emit(&message)?;
            }
            Ok(())
        })
    }

    fn put(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            let (method, request) = match step {
                Step::Execution(request) => (Method::PutExecution, request.encode_to_vec()),
                Step::Artifacts(request) => (Method::PutArtifacts, request.encode_to_vec()),
            };
            self.send(method, request)?;
        }
        Ok(())
    }
}

/// Passes messages through as they are.
#[derive(Default)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
