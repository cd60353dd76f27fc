//! gRPC: any method of the table, bytes in and bytes out. Decides nothing about a request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use bytes::{Buf, BufMut, Bytes};
use headwater_store::limits::{GROUP_MS_MAX, GROUP_WRITERS_MAX};
use headwater_store::{Access, Caller, Capacity, Error, ErrorKind, Method, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_stream::Stream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::ServerStreamingService;
use tonic::{Code, Status};
use tracing::{Instrument as _, info_span};

use crate::config::ChannelSettings;
use crate::observe::{self, Metrics};

/// Calls of one kind inside the store; the others wait here, in their order, without a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turns {
    readers: usize,
    /// They are long and large; small reads must not wait for them.
    lists: usize,
    /// They are as slow as those who read them.
    streams: usize,
    /// None where writes are [`Writes`].
    writers: usize,
}

impl Turns {
    /// Divides the connections of a store. One is left for asking whether the database is there.
    fn of(store: Capacity) -> Self {
        let connections = store.connections.min(CONNECTIONS_MAX);
        let few = (connections / 8).max(if store.commits_together { 2 } else { 1 });
        let writers = if store.commits_together { 0 } else { (connections / 2).max(1) };
        let readers = connections.saturating_sub(2 * few + writers + 1).max(1);
        Self { readers, lists: few, streams: few, writers }
    }
}

/// Calls inside the store, at most: each has a thread.
const CONNECTIONS_MAX: usize = 60;
const REQUEST_ID: &str = "x-request-id";

/// What a call needs.
#[derive(Clone)]
pub(crate) struct Service(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    channel: ChannelSettings,
    readers: Arc<Semaphore>,
    lists: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    /// Set where writers do not work side by side.
    writes: Option<Writes>,
}

impl Service {
    pub(crate) fn new(store: Arc<Store>, metrics: Arc<Metrics>, channel: ChannelSettings) -> Self {
        let capacity = store.capacity();
        let turns = Turns::of(capacity);
        let writes = capacity.commits_together.then(|| Writes::start(Arc::clone(&store)));
        Self(Arc::new(Inner {
            store,
            writes,
            metrics,
            channel,
            readers: Arc::new(Semaphore::new(turns.readers)),
            lists: Arc::new(Semaphore::new(turns.lists)),
            streams: Arc::new(Semaphore::new(turns.streams)),
            writers: Arc::new(Semaphore::new(turns.writers)),
        }))
    }

    /// Waits for a method's turn.
    async fn turn(&self, method: Method) -> Result<OwnedSemaphorePermit, Status> {
        let inner = &self.0;
        let turns = match method.access() {
            Access::Write => &inner.writers,
            Access::Read if method.is_stream() => &inner.streams,
            Access::Read if method.is_list() => &inner.lists,
            Access::Read => &inner.readers,
        };
        let turn = Arc::clone(turns).acquire_owned().await;
        turn.map_err(|_| Status::unavailable("the server is stopping"))
    }

    /// Runs a call on a thread that may block, when it is its turn.
    async fn call(&self, method: Method, request: Bytes) -> Result<Bytes, Status> {
        if let (Access::Write, Some(writes)) = (method.access(), &self.0.writes) {
            return writes.call(method, request).await;
        }
        let turn = self.turn(method).await?;
        let store = Arc::clone(&self.0.store);
        let span = tracing::Span::current();
        // The turn ends with the work, not with a caller that went away meanwhile; what has not
        // begun by then is not begun at all.
        let waiting = Arc::new(());
        let waiter = Arc::downgrade(&waiting);
        let work = move || {
            let _turn = turn;
            if waiter.strong_count() == 0 {
                return Ok(Vec::new());
            }
            let caller = Caller::gone_when(move || waiter.strong_count() == 0);
            let mut response = Vec::new();
            let mut take = |message| {
                response = message;
                Ok(())
            };
            span.in_scope(|| store.run_bytes(method, &request, &caller, &mut take))?;
            Ok(response)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(response)) => Ok(response.into()),
            Ok(Err(error)) => Err(answer(&error)),
            Err(panic) => Err(bug(&panic)),
        }
    }

    /// Runs a call whose answer is a stream. It is read as fast as its caller takes it: a few
    /// messages wait here, no more.
    async fn stream(
        &self,
        method: Method,
        request: Bytes,
        deadline: Instant,
        mut answered: Answered,
    ) -> Result<Messages, Status> {
        let late = |_| Err(Status::deadline_exceeded(LATE));
        let turn = tokio::time::timeout_at(deadline.into(), self.turn(method));
        let turn = turn.await.unwrap_or_else(late);
        let turn = turn.inspect_err(|status| answered.code = observe::code_name(status.code()))?;
        let store = Arc::clone(&self.0.store);
        let span = tracing::Span::current();
        let (sender, receiver) = tokio::sync::mpsc::channel(STREAM_AHEAD_MAX);
        let outcome = Arc::new(OnceLock::new());
        let messages = Messages { receiver, outcome: Arc::clone(&outcome), ended: false };
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let (_turn, mut answered, sender) = (turn, answered, sender);
            let _entered = span.enter();
            // What a panic leaves.
            answered.code = observe::code_name(Code::Internal);
            let left = sender.downgrade();
            let caller = Caller::gone_when(move || {
                left.upgrade().is_none_or(|sender| sender.is_closed()) || Instant::now() > deadline
            });
            let done = store.run_bytes(method, &request, &caller, &mut |message| {
                let left = deadline.saturating_duration_since(Instant::now());
                let send = sender.send(Bytes::from(message));
                // Whoever does not read on keeps a connection and an old state of the database.
                let sent = async { tokio::time::timeout(left.min(STALL), send).await };
                match runtime.block_on(sent) {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) => Err(Error::new(ErrorKind::Aborted, GONE)),
                    Err(_) => Err(Error::new(ErrorKind::Aborted, STALLED)),
                }
            });
            let done = done.map_err(|error| match error.message() {
                _ if sender.is_closed() => Status::cancelled(GONE),
                _ if Instant::now() > deadline => Status::deadline_exceeded(LATE),
                GONE => Status::cancelled(GONE),
                STALLED => Status::deadline_exceeded(STALLED),
                _ => answer(&error),
            });
            let code = done.as_ref().err().map_or(Code::Ok, Status::code);
            answered.code = observe::code_name(code);
            let _ = outcome.set(done);
        };
        drop(tokio::task::spawn_blocking(work));
        Ok(messages)
    }
}

/// Writes to a database that takes one at a time: a thread runs them in their order, and makes
/// durable together what came while it was busy. Handing them from thread to thread took longer
/// than running them.
struct Writes {
    sender: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
}

/// A write that waits for its turn.
struct Write {
    method: Method,
    request: Bytes,
    span: tracing::Span,
    answer: oneshot::Sender<headwater_store::Result<Vec<u8>>>,
}

/// How long writes may be put together before they are made durable.
const GROUP: Duration = Duration::from_millis(GROUP_MS_MAX);
/// Size from which a request is not for a group, in bytes: others would wait for it longer than a
/// commit takes.
const LARGE: usize = 64 << 10;

impl Writes {
    fn start(store: Arc<Store>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let life = move || run_writes(&store, &receiver);
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(life);
        let thread = thread.expect("a thread can be made when the server starts");
        Self { sender: Some(sender), thread: Some(thread) }
    }

    async fn call(&self, method: Method, request: Bytes) -> Result<Bytes, Status> {
        let (sender, answered) = oneshot::channel();
        let span = tracing::Span::current();
        if let Some(writes) = &self.sender {
            // Where it cannot be sent, there is no answer, either.
            let _ = writes.send(Write { method, request, span, answer: sender });
        }
        match answered.await {
            Ok(Ok(response)) => Ok(response.into()),
            Ok(Err(error)) => Err(answer(&error)),
            Err(_) => {
                tracing::error!("the thread that writes has ended by a bug; please report it");
                Err(Status::unavailable("the server cannot write any more; restart it"))
            }
        }
    }
}

impl Drop for Writes {
    /// Waits for the thread: with it the store is closed, and SQLite copies its log into the file.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was logged.
            let _ = thread.join();
        }
    }
}

/// The life of the thread that writes.
fn run_writes(store: &Store, receiver: &mpsc::Receiver<Write>) {
    let mut first = receiver.recv().ok();
    while let Some(write) = first.take() {
        let began = Instant::now();
        let (mut together, mut answers) = (store.together(), Vec::new());
        let mut next = Some(write);
        while let Some(write) = next.take() {
            let is_large = write.request.len() >= LARGE;
            if !answers.is_empty() && is_large {
                first = Some(write);
                break;
            }
            let gone = write.answer.is_closed();
            let caller = Caller::gone_when(move || gone);
            write.span.in_scope(|| together.run(write.method, write.request, &caller));
            answers.push(write.answer);
            if is_large || answers.len() == GROUP_WRITERS_MAX || began.elapsed() > GROUP {
                break;
            }
            next = receiver.try_recv().ok();
        }
        for (waiting, answer) in answers.into_iter().zip(together.finish()) {
            // Nobody waits for it any more: so be it.
            let _ = waiting.send(answer);
        }
        first = first.or_else(|| receiver.recv().ok());
    }
}

/// The messages of a stream, and how it ended.
struct Messages {
    receiver: tokio::sync::mpsc::Receiver<Bytes>,
    /// Set when the last message has been handed over; a stream without it was cut off by a bug.
    outcome: Arc<OnceLock<Result<(), Status>>>,
    ended: bool,
}

impl Stream for Messages {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.receiver.poll_recv(context) {
            Poll::Ready(None) if !self.ended => {
                self.ended = true;
                let status = match self.outcome.get() {
                    Some(Ok(())) => return Poll::Ready(None),
                    Some(Err(status)) => status.clone(),
                    None => {
                        tracing::error!("a stream was cut off by a bug; please report it");
                        Status::internal("the stream was cut off by a bug in the server")
                    }
                };
                Poll::Ready(Some(Err(status)))
            }
            polled => polled.map(|message| message.map(Ok)),
        }
    }
}

/// Messages of a stream that wait for their caller.
const STREAM_AHEAD_MAX: usize = 4;
/// How long a stream waits for its caller to take a message.
const STALL: Duration = Duration::from_secs(30);
const STALLED: &str = "the stream was not read on in time";
const LATE: &str = "the call's time is over";
const GONE: &str = "the caller has gone away";

fn bug(panic: &tokio::task::JoinError) -> Status {
    tracing::error!(%panic, "a call failed by a bug; please report it");
    Status::internal("the call failed by a bug in the server; its log tells more")
}

/// The status of an error, which is logged here and nowhere else: with its cause if it is the
/// operator's, and only on demand if it is the caller's.
fn answer(error: &Error) -> Status {
    let code = Code::from(error.kind().row().grpc);
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let message = error.message();
    match code {
        Code::Internal | Code::DataLoss | Code::Unavailable => {
            tracing::error!(code = error.kind().row().code, message, cause, "call failed");
        }
        _ => tracing::debug!(code = error.kind().row().code, message, cause, "call refused"),
    }
    Status::new(code, error.to_string())
}

/// Answers `/{service}/{method}`.
pub(crate) async fn handle(
    State(service): State<Service>,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let request_id = request_id(request.headers());
    let of_service =
        |method: &Method| request.uri().path().split('/').nth(1) == Some(method.service());
    let mut response = match Method::from_name(&name).filter(of_service) {
        Some(method) => {
            let span = info_span!("call", method = name, request_id = ?request_id);
            if method.is_stream() {
                service.answer_stream(method, request).instrument(span).await
            } else {
                service.answer(method, request).instrument(span).await
            }
        }
        None => unknown_method(&name),
    };
    response.headers_mut().insert(REQUEST_ID, request_id);
    response
}

impl Service {
    async fn answer(self, method: Method, request: Request<Body>) -> Response<Body> {
        let mut answered = Answered::new(Arc::clone(&self.0.metrics), method);
        let channel = &self.0.channel;
        let (request_max, response_max) = (channel.request_bytes_max, channel.response_bytes_max);
        let deadline = deadline(request.headers());
        let outcome = Arc::new(OnceLock::new());
        let call = Call { service: self, method, outcome: Arc::clone(&outcome) };
        let mut grpc = tonic::server::Grpc::new(BytesCodec)
            .max_decoding_message_size(request_max)
            .max_encoding_message_size(response_max);
        let answer = tokio::time::timeout(deadline, grpc.unary(call, request)).await;
        let (response, code) = match (answer, outcome.get()) {
            (Ok(response), Some(code)) => (response.map(Body::new), *code),
            (Ok(response), None) => undecoded(response.map(Body::new), request_max),
            (Err(_), _) => {
                let status = Status::deadline_exceeded(LATE);
                (status.into_http(), Code::DeadlineExceeded)
            }
        };
        answered.code = observe::code_name(code);
        response
    }
}

impl Service {
    async fn answer_stream(self, method: Method, request: Request<Body>) -> Response<Body> {
        let answered = Answered::new(Arc::clone(&self.0.metrics), method);
        let channel = &self.0.channel;
        let (request_max, response_max) = (channel.request_bytes_max, channel.response_bytes_max);
        let deadline = Instant::now() + deadline(request.headers());
        let answered = Arc::new(Mutex::new(Some(answered)));
        let call = StreamCall { service: self, method, deadline, answered: Arc::clone(&answered) };
        let mut grpc = tonic::server::Grpc::new(BytesCodec)
            .max_decoding_message_size(request_max)
            .max_encoding_message_size(response_max);
        let response = grpc.server_streaming(call, request).await.map(Body::new);
        let unread = answered.lock().ok().and_then(|mut answered| answered.take());
        match unread {
            None => response,
            Some(mut answered) => {
                let (response, code) = undecoded(response, request_max);
                answered.code = observe::code_name(code);
                response
            }
        }
    }
}

/// Counts and logs a call when it is answered, or when its caller has gone away.
struct Answered {
    metrics: Arc<Metrics>,
    method: Method,
    began: Instant,
    code: &'static str,
}

impl Answered {
    fn new(metrics: Arc<Metrics>, method: Method) -> Self {
        metrics.begin();
        let code = observe::code_name(Code::Cancelled);
        Self { metrics, method, began: Instant::now(), code }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.metrics.record(self.method, self.code, took);
        tracing::debug!(code = self.code, took_us = took.as_micros(), "call answered");
    }
}

/// How long the caller waits, from the header `grpc-timeout`. A little less than it says, so that
/// the answer is ours and not that of the layer above, which has another code for it.
fn deadline(headers: &HeaderMap) -> Duration {
    const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    let given = headers.get("grpc-timeout").and_then(|value| value.to_str().ok());
    let Some((number, unit)) =
        given.and_then(|text| text.split_at_checked(text.len().checked_sub(1)?))
    else {
        return NEVER;
    };
    let Ok(number) = number.parse::<u32>() else { return NEVER };
    let unit = match unit {
        "H" => Duration::from_secs(60 * 60),
        "M" => Duration::from_secs(60),
        "S" => Duration::from_secs(1),
        "m" => Duration::from_millis(1),
        "u" => Duration::from_micros(1),
        "n" => Duration::from_nanos(1),
        _ => return NEVER,
    };
    let whole = unit.saturating_mul(number).min(NEVER);
    whole.saturating_sub(Duration::from_millis(2))
}

/// A request that never reached its method. gRPC's own code for a message above the limit is
/// RESOURCE_EXHAUSTED, tonic says OUT_OF_RANGE.
fn undecoded(response: Response<Body>, request_max: usize) -> (Response<Body>, Code) {
    let code = Status::from_header_map(response.headers()).map_or(Code::Internal, |s| s.code());
    if code != Code::OutOfRange {
        return (response, code);
    }
    let status = Status::resource_exhausted(format!(
        "the request is larger than {} MiB\nhint: send the nodes in several calls",
        request_max >> 20
    ));
    (status.into_http(), Code::ResourceExhausted)
}

pub(crate) fn unknown_method(name: &str) -> Response<Body> {
    Status::unimplemented(format!("there is no method `{name}`")).into_http()
}

/// The caller's id of the request, or one of ours, to find it in the log.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    match headers.get(REQUEST_ID) {
        Some(id) if id.len() <= 128 => id.clone(),
        _ => HeaderValue::from_str(&observe::new_request_id())
            .unwrap_or_else(|_| HeaderValue::from_static("none")),
    }
}

/// One call on its way through tonic.
struct Call {
    service: Service,
    method: Method,
    /// Set once the method has answered; a request that cannot be read never gets there.
    outcome: Arc<OnceLock<Code>>,
}

impl tower::Service<tonic::Request<Bytes>> for Call {
    type Response = tonic::Response<Bytes>;
    type Error = Status;
    type Future =
        Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send + 'static>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (service, method) = (self.service.clone(), self.method);
        let outcome = Arc::clone(&self.outcome);
        Box::pin(async move {
            let answer = service.call(method, request.into_inner()).await;
            let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
            let _ = outcome.set(code);
            answer.map(tonic::Response::new)
        })
    }
}

/// One call with a stream for an answer on its way through tonic.
struct StreamCall {
    service: Service,
    method: Method,
    deadline: Instant,
    /// Taken by the call; a request that cannot be read leaves it.
    answered: Arc<Mutex<Option<Answered>>>,
}

impl ServerStreamingService<Bytes> for StreamCall {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future =
        Pin<Box<dyn Future<Output = Result<tonic::Response<Messages>, Status>> + Send + 'static>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (service, method, deadline) = (self.service.clone(), self.method, self.deadline);
        let answered = self.answered.lock().ok().and_then(|mut answered| answered.take());
        Box::pin(async move {
            let answered = answered.ok_or_else(|| Status::internal("the call came twice"))?;
            let messages = service.stream(method, request.into_inner(), deadline, answered).await?;
            Ok(tonic::Response::new(messages))
        })
    }
}

/// Passes encoded messages through as they are: the store decodes them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BytesCodec;

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
