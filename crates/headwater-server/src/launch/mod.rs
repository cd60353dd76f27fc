//! `headwater run`: any command, recorded without a line of code.
//!
//! ```text
//!   headwater run        records: code, environment, resources, files, the end   (run.rs)
//!        │ starts, hears of the end through a pipe
//!   headwater keep       stands between the command and its terminal             (keeper.rs)
//!        │ starts, traces (trace.rs), copies its output (output.rs)
//!   headwater traced-exec   puts a filter on itself and becomes                   (filter.rs)
//!        │
//!   the command
//! ```
//!
//! The keeper is a process of its own because a filter stays on what the command leaves behind in
//! the background: it goes on for as long as that lives, while `headwater run` ends with the
//! command, and it does not fall with what goes wrong in recording.

mod capture;
mod ending;
mod files;
mod filter;
mod graph;
mod keeper;
mod output;
mod params;
mod record;
mod resources;
mod run;
mod trace;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

pub(crate) use filter::traced_exec;
pub(crate) use keeper::keep;
pub(crate) use run::run;

/// Signals that are passed on to the command when they are sent to `headwater run` alone.
const FORWARDED: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// A file as it was at some moment. Two that are equal have the same bytes, as far as times tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }

    /// Of the plain file at a path, if there is one.
    fn at(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        metadata.is_file().then(|| Self::of(&metadata))
    }
}

/// What the command did with a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Use {
    /// As it was when it was first opened for reading, if it had not been written before.
    read: Option<Stamp>,
    /// Whether it was opened for writing, or put in its place by another name.
    is_written: bool,
    /// As it was before it was first opened for writing; nothing if there was none, or if it came
    /// by another name.
    before: Option<Stamp>,
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl End {
    /// As a shell has it.
    fn exit_code(self) -> u8 {
        let code = match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        };
        u8::try_from(code & 0xff).unwrap_or(u8::MAX)
    }
}

/// What the keeper says, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    /// The command runs, under this process id.
    Started(i32),
    /// The keeper got a signal that is for the whole process group.
    Signal(i32),
    /// The command did not get a signal.
    Lost(i32),
    /// The command has ended.
    Ended(Outcome),
}

/// What the keeper knows of the command when it has ended.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    end: End,
    /// By absolute path.
    files: Vec<(OsString, Use)>,
    /// The last output, standard output and error as they came.
    tail: Vec<u8>,
    /// The last of standard error.
    error_tail: Vec<u8>,
    /// What was not seen, each a sentence.
    problems: Vec<String>,
}
