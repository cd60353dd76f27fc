//! The store inside a Python process: names of methods and bytes of messages in, bytes out. And
//! the digests of files.
//!
//! Everything else of the Python packages is Python.

mod files;

use std::sync::Arc;

use headwater_proto::ml_metadata::ConnectionConfig;
use headwater_store::{Access, Error, ErrorKind, Method, StoreUrl, migrate};
use parking_lot::RwLock;
use prost::Message as _;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A tenth quicker than the C library's with answers of many nodes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A store that is open in this process. Any number of threads may call it.
#[pyclass(frozen, module = "headwater._native")]
struct Store {
    /// `None` once it is closed.
    store: RwLock<Option<Arc<headwater_store::Store>>>,
    /// The process that opened it. Its threads and locks do not survive a fork.
    process: u32,
    #[pyo3(get)]
    url: String,
}

#[pymethods]
impl Store {
    /// Opens the store at a URL, and makes it if it is not there.
    #[staticmethod]
    #[pyo3(signature = (url, *, read_only = false, upgrade = false))]
    fn open(py: Python<'_>, url: &str, read_only: bool, upgrade: bool) -> PyResult<Self> {
        let url = url.parse::<StoreUrl>().map_err(|error| raised(py, &error))?;
        Self::make(py, if read_only { url.read_only() } else { url }, upgrade)
    }

    /// Opens the store of an encoded `ml_metadata.ConnectionConfig`.
    #[staticmethod]
    #[pyo3(signature = (config, *, upgrade = false))]
    fn connect(py: Python<'_>, config: &[u8], upgrade: bool) -> PyResult<Self> {
        Self::make(py, url_of(py, config)?, upgrade)
    }

    /// Answers an encoded request of the method of this name.
    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        request: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let store = self.usable().map_err(|error| raised(py, &error))?;
        let method = Method::from_name(method).ok_or_else(|| {
            let message = format!("there is no method `{method}`");
            raised(py, &Error::new(ErrorKind::Unimplemented, message))
        })?;
        let answer = py.detach(|| store.call_bytes(method, request));
        answer.map(|answer| PyBytes::new(py, &answer)).map_err(|error| raised(py, &error))
    }

    /// Closes it, once the calls that run have ended. A closed store stays closed.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.release());
    }

    fn __repr__(&self) -> String {
        format!("<headwater._native.Store {}>", self.url)
    }
}

impl Store {
    fn make(py: Python<'_>, url: StoreUrl, upgrade: bool) -> PyResult<Self> {
        let open = if upgrade {
            headwater_store::Store::open_upgrading
        } else {
            headwater_store::Store::open
        };
        let store = py.detach(|| open(&url)).map_err(|error| raised(py, &error))?;
        Ok(Self {
            store: RwLock::new(Some(Arc::new(store))),
            process: std::process::id(),
            url: url.to_string(),
        })
    }

    fn usable(&self) -> Result<Arc<headwater_store::Store>, Error> {
        if self.process != std::process::id() {
            let message = "the store was opened before this process was forked";
            return Err(Error::new(ErrorKind::FailedPrecondition, message)
                .hint("open it again in each process, or start processes with `spawn`"));
        }
        self.store.read().clone().ok_or_else(|| {
            Error::new(ErrorKind::FailedPrecondition, "the store is closed").hint("open it again")
        })
    }

    fn release(&self) {
        if self.process == std::process::id() {
            drop(self.store.write().take());
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What a forked process inherits belongs to its parent: closing it would end transactions
        // and connections there.
        if self.process != std::process::id() {
            std::mem::forget(self.store.get_mut().take());
        }
    }
}

/// Takes the store of an encoded `ml_metadata.ConnectionConfig` back to an older schema version. One
/// that is as old already stays as it is.
#[pyfunction]
fn downgrade(py: Python<'_>, config: &[u8], to_schema_version: i64) -> PyResult<()> {
    let url = url_of(py, config)?;
    let to = to_schema_version;
    let moved = py.detach(|| {
        if migrate(&url, to, true, false)?.from > to {
            migrate(&url, to, false, false)?;
        }
        Ok(())
    });
    moved.map_err(|error| raised(py, &error))
}

/// The name of every method, and whether it writes.
#[pyfunction]
fn methods() -> Vec<(&'static str, bool)> {
    Method::ALL.iter().map(|method| (method.name(), method.access() == Access::Write)).collect()
}

fn url_of(py: Python<'_>, config: &[u8]) -> PyResult<StoreUrl> {
    let config = ConnectionConfig::decode(config).map_err(|error| {
        let message = format!("the bytes are no ConnectionConfig: {error}");
        raised(py, &Error::new(ErrorKind::InvalidArgument, message))
    })?;
    StoreUrl::from_connection(&config).map_err(|error| raised(py, &error))
}

/// The exception of `headwater.errors` for an error.
fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let made = || {
        let errors = py.import("headwater.errors")?;
        errors.call_method1("make_exception", (error.to_string(), error.kind().row().grpc))
    };
    made().map_or_else(|failure| failure, |made| PyErr::from_value(made))
}

/// The native module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Store>()?;
    module.add_function(wrap_pyfunction!(files::digest_path, module)?)?;
    module.add_function(wrap_pyfunction!(downgrade, module)?)?;
    module.add_function(wrap_pyfunction!(methods, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
