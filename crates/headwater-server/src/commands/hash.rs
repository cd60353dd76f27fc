//! `headwater hash PATH…`: what `md5sum` and `sha256sum` print, of folders too, in one reading.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use headwater_files::{Digest, digest};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Failure;
use crate::cli::HashArgs;

/// What is done sooner needs no bar.
const BAR_AFTER: Duration = Duration::from_secs(1);

/// Runs the command. What cannot be read does not keep the other paths from being printed.
pub(crate) fn run(args: &HashArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut failures = Vec::new();
    for path in &args.paths {
        match hash(path) {
            Ok(found) if args.json => writeln!(out, "{}", as_json(path, &found))?,
            Ok(found) => {
                let (is_escaped, name) = as_name(path);
                // As md5sum marks a line whose name is not as it stands there.
                let mark = if is_escaped { "\\" } else { "" };
                write!(out, "{mark}{}  {}  ", found.md5, found.sha256)?;
                out.write_all(&name)?;
                writeln!(out)?;
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    out.flush()?;
    // The first line gets its `error: ` where it is printed.
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\nerror: ").into()) }
}

/// With a bar on stderr, where it is a terminal and the work takes longer.
fn hash(path: &Path) -> Result<Digest, headwater_files::Error> {
    let start = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let found = digest(path, &mut |done_bytes, total_bytes| {
        if start.elapsed() >= BAR_AFTER {
            let bar = bar.get_or_insert_with(|| new_bar(path));
            bar.set_length(total_bytes);
            bar.set_position(done_bytes);
        }
        ControlFlow::Continue(())
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    found
}

fn new_bar(path: &Path) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let look = "{prefix} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    // One that cannot be read leaves the look as it is.
    if let Ok(style) = ProgressStyle::with_template(look) {
        bar.set_style(style);
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    bar.with_prefix(name.to_string_lossy().into_owned())
}

fn as_json(path: &Path, found: &Digest) -> serde_json::Value {
    serde_json::json!({
        "path": path.to_string_lossy(),
        "md5": found.md5,
        "sha256": found.sha256,
        "size_bytes": found.size_bytes,
        "files": found.files,
    })
}

/// A path on one line, and whether it had to be escaped for that.
fn as_name(path: &Path) -> (bool, Vec<u8>) {
    let bytes = path.as_os_str().as_bytes();
    let mut name = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\n' => name.extend(b"\\n"),
            b'\r' => name.extend(b"\\r"),
            b'\\' => name.extend(b"\\\\"),
            _ => name.push(*byte),
        }
    }
    (name.len() != bytes.len(), name)
}
