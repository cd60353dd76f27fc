//! What a file or a folder is, by its bytes.

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use headwater_files::{Error, Reason, digest};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// SHA-256, MD5, size in bytes, and number of files if it is a folder.
type Found = (String, String, u64, Option<u64>);

/// The digests of a file, or of the list of files in a folder, read once on all cores.
///
/// `progress` is called about ten times a second with the bytes done and all bytes. What it raises
/// ends the reading and is raised, as is Ctrl-C. Raises OSError.
#[pyfunction]
#[pyo3(signature = (path, progress = None))]
pub(crate) fn digest_path(
    py: Python<'_>,
    path: &[u8],
    progress: Option<Py<PyAny>>,
) -> PyResult<Found> {
    let path = Path::new(OsStr::from_bytes(path));
    let mut raised = None;
    let found = py.detach(|| {
        digest(path, &mut |done_bytes, total_bytes| {
            let went = Python::attach(|py| {
                py.check_signals()?;
                if let Some(progress) = &progress {
                    progress.call1(py, (done_bytes, total_bytes))?;
                }
                Ok(())
            });
            match went {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    raised = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
    });
    if let Some(error) = raised {
        return Err(error);
    }
    found
        .map(|found| (found.sha256, found.md5, found.size_bytes, found.files))
        .map_err(|error| as_os_error(&error))
}

/// The exception that Python itself raises for it, such as FileNotFoundError, where there is one.
fn as_os_error(error: &Error) -> PyErr {
    if let Reason::Unreadable(cause) = &error.reason
        && let Some(number) = cause.raw_os_error()
    {
        let text = cause.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_owned();
        return PyOSError::new_err((number, text, error.path.clone().into_os_string()));
    }
    PyOSError::new_err(error.to_string())
}
