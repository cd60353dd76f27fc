//! Serving: one port for everything, readiness that follows the database, a drain at the end.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headwater_proto::DESCRIPTOR_SET;
use headwater_store::{ErrorKind, Method, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::Failure;
use crate::config::ServeSettings;
use crate::grpc::{self, Service};
use crate::observe::Metrics;

/// How often the database is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long calls in flight may take to end once the server was told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(25);
/// How long to wait before the store is tried again at the start, times the attempts made.
const OPEN_PAUSE: Duration = Duration::from_millis(500);
/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long whoever watches the health has to hear that the server is stopping.
const WATCH_GRACE: Duration = Duration::from_millis(100);
/// Threads that run calls; more would only wait for each other.
const BLOCKING_THREADS_MAX: usize = 64;

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(settings: &ServeSettings) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()?;
    // First the port, then the store: a server that cannot listen leaves no new file behind.
    let listener = runtime.block_on(listen(&settings.listen))?;
    let metrics = Arc::new(Metrics::new());
    let store = open(settings)?.observed_by(metrics.clone());
    let served = runtime.block_on(serve(settings, listener, Arc::new(store), metrics));
    // A call that outlived the drain must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// Opens the store. A database that starts at the same time may not be there yet.
fn open(settings: &ServeSettings) -> Result<Store, Failure> {
    let open = if settings.upgrades { Store::open_upgrading } else { Store::open };
    let mut attempt = 0;
    loop {
        let error = match open(&settings.store) {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
        let may_pass = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Aborted);
        if !may_pass || attempt == settings.retries {
            return Err(error.into());
        }
        attempt += 1;
        tracing::warn!(attempt, of = settings.retries, error = %error, "the store is tried again");
        std::thread::sleep(OPEN_PAUSE * attempt);
    }
}

async fn serve(
    settings: &ServeSettings,
    listener: TcpListener,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    let ready = Arc::new(AtomicBool::new(true));
    let (mut reporter, health) = tonic_health::server::health_reporter();
    report(&reporter, true).await;
    let probe = tokio::spawn(probe(Arc::clone(&store), reporter.clone(), Arc::clone(&ready)));

    let state = Http { metrics: Arc::clone(&metrics), ready: Arc::clone(&ready) };
    let service = Service::new(store, metrics, settings.channel.clone());
    let mut calls = Router::new();
    for service in Method::SERVICES {
        calls = calls.route(&format!("/{service}/{{method}}"), axum::routing::post(grpc::handle));
    }
    let app = calls
        .with_state(service)
        .route("/", get(|| async { WELCOME }))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .fallback(unknown)
        .with_state(state);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let reflection_v1alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1alpha()?;
    let routes = tonic::service::Routes::from(app)
        .add_service(health)
        .add_service(reflection)
        .add_service(reflection_v1alpha);

    let mut signals = StopSignals::catch()?;
    announce(settings, address)?;
    let (stopping, stopped) = tokio::sync::watch::channel(false);
    let stop = async move {
        signals.received().await;
        tracing::info!("stopping: waiting for the calls in flight");
        probe.abort();
        report(&reporter, false).await;
        ready.store(false, Ordering::Relaxed);
        let _ = stopping.send(true);
        // Whoever watches has been told; the streams would otherwise stay open and be waited for.
        tokio::time::sleep(WATCH_GRACE).await;
        reporter.clear_service_status("").await;
        for service in Method::SERVICES {
            reporter.clear_service_status(service).await;
        }
    };
    let serving = server(settings)?
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections(listener), stop);
    tokio::select! {
        served = serving => served?,
        () = drained_too_long(stopped) => tracing::warn!("calls still in flight were cut off"),
    }
    tracing::info!("stopped");
    Ok(())
}

fn server(settings: &ServeSettings) -> Result<Server, Failure> {
    let channel = &settings.channel;
    let mut server = Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(channel.keepalive))
        .http2_keepalive_timeout(Some(channel.keepalive_timeout))
        .max_concurrent_streams(channel.streams_max);
    if let Some(age) = channel.connection_age_max {
        server = server.max_connection_age(age);
    }
    if let Some(tls) = &settings.tls {
        server = server
            .tls_config(tls.clone())
            .map_err(|e| format!("the TLS certificate or key cannot be used: {e}"))?;
    }
    Ok(server)
}

async fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| {
        let hint = if e.kind() == io::ErrorKind::AddrInUse {
            "stop what listens there, or choose another port with `--listen`"
        } else {
            "`--listen` takes an address and a port of this machine, as in 127.0.0.1:8080"
        };
        format!("cannot listen on `{address}`: {e}\nhint: {hint}").into()
    })
}

/// The connections, sending each packet at once: an answer in several packets would otherwise wait
/// 40 ms for the client to acknowledge the first. (The server builder sets this on sockets of its
/// own only.)
fn connections(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    TcpListenerStream::new(listener).then(async |accepted| match accepted {
        Ok(connection) => connection.set_nodelay(true).map(|()| connection),
        Err(error) => {
            tracing::error!(%error, "a connection cannot be accepted");
            // Most likely there are no file descriptors left; asking at once again finds none.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            Err(error)
        }
    })
}

/// Says on stdout, once, that calls are taken from now on: for people, and for scripts that
/// started the server on port 0.
fn announce(settings: &ServeSettings, address: SocketAddr) -> Result<(), Failure> {
    let mut out = io::stdout();
    writeln!(out, "headwater ready on {address}, storing in {}", settings.store)?;
    out.flush()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "no authentication: whoever reaches this address may write");
    }
    Ok(())
}

/// Catches SIGTERM and SIGINT from the moment it is made, so that none is missed once the server
/// has said that it is ready.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn drained_too_long(mut stopped: tokio::sync::watch::Receiver<bool>) {
    if stopped.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(DRAIN_MAX).await;
}

/// Asks the database again and again, one question at a time, and reports what it finds.
async fn probe(store: Arc<Store>, reporter: HealthReporter, ready: Arc<AtomicBool>) {
    let mut silent = None;
    loop {
        let mut ping = match silent.take() {
            Some(ping) => ping,
            None => {
                tokio::time::sleep(PROBE_EVERY).await;
                let store = Arc::clone(&store);
                tokio::task::spawn_blocking(move || store.ping())
            }
        };
        let problem = match tokio::time::timeout(PROBE_EVERY, &mut ping).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(panic)) => Some(panic.to_string()),
            Err(_) => {
                silent = Some(ping);
                Some("the database does not answer".to_owned())
            }
        };
        let is_ready = problem.is_none();
        if ready.swap(is_ready, Ordering::Relaxed) != is_ready {
            match problem {
                Some(problem) => tracing::error!(problem, "not ready"),
                None => tracing::info!("ready again"),
            }
            report(&reporter, is_ready).await;
        }
    }
}

async fn report(reporter: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    reporter.set_service_status("", status).await;
    for service in Method::SERVICES {
        reporter.set_service_status(service, status).await;
    }
}

/// What the routes beside gRPC need.
#[derive(Clone)]
struct Http {
    metrics: Arc<Metrics>,
    ready: Arc<AtomicBool>,
}

async fn readyz(State(http): State<Http>) -> Response {
    if http.ready.load(Ordering::Relaxed) {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached, or the server is stopping\n")
        .into_response()
}

async fn metrics_text(State(http): State<Http>) -> Response {
    match http.metrics.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What is at no address: a status for gRPC clients, a page for others.
async fn unknown(uri: Uri, headers: HeaderMap) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/grpc")) {
        return grpc::unknown_method(uri.path());
    }
    (StatusCode::NOT_FOUND, format!("there is nothing at {}\n\n{WELCOME}", uri.path()))
        .into_response()
}

const WELCOME: &str = "\
Headwater, an ML metadata and lineage store

gRPC      ml_metadata.MetadataStoreService and headwater.v1.Headwater,
          with reflection and health
/livez    the process is up
/readyz   the database answers
/metrics  Prometheus
";
