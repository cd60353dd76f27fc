//! Why there is no digest.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A path, and why it has no digest.
#[derive(Debug)]
pub struct Error {
    /// The file or folder in the way; of a folder that was asked for it may be any below it.
    pub path: PathBuf,
    /// What is the matter with it.
    pub reason: Reason,
}

/// What is the matter with a path.
#[derive(Debug)]
pub enum Reason {
    /// The system does not let it be read: it is not there, not allowed, or the disk fails.
    Unreadable(io::Error),
    /// A link to something that is not there, to itself, or to what may not be seen.
    BrokenLink(io::Error),
    /// It was there when the folder was listed.
    Vanished,
    /// Its size, time of modification or inode, or what its folder holds.
    Changed,
    /// A pipe, a socket or a device.
    NotAFile,
    /// The folder has more than this many files.
    TooMany(usize),
    /// The caller's progress said so.
    Stopped,
}

impl Error {
    pub(crate) fn new(path: &Path, reason: Reason) -> Self {
        Self { path: path.to_owned(), reason }
    }

    pub(crate) fn unreadable(path: &Path, error: io::Error) -> Self {
        Self::new(path, Reason::Unreadable(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Unreadable(error) => write!(f, "`{path}` cannot be read: {}", words(error)),
            Reason::BrokenLink(error) => write!(
                f,
                "`{path}` is a link that leads nowhere: {}\nhint: remove it, or mend it",
                words(error)
            ),
            Reason::Vanished => write!(
                f,
                "`{path}` was removed while its folder was read\nhint: try again when nobody \
                 writes to the folder"
            ),
            Reason::Changed => write!(
                f,
                "`{path}` changed while it was read\nhint: try again when nobody writes to it, \
                 or read a copy"
            ),
            Reason::NotAFile => {
                write!(f, "`{path}` is neither a file nor a folder\nhint: save it to a file first")
            }
            Reason::TooMany(files_max) => write!(
                f,
                "`{path}` has more than {files_max} files\nhint: follow its links, or read its \
                 folders one by one"
            ),
            Reason::Stopped => write!(f, "reading `{path}` was stopped"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Unreadable(error) | Reason::BrokenLink(error) => Some(error),
            _ => None,
        }
    }
}

/// What the system says, as our messages are: without a capital and the number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let second_is_small = letters.clone().next().is_some_and(|second| !second.is_uppercase());
    if !second_is_small {
        return text.to_owned();
    }
    first.to_lowercase().chain(letters).collect()
}
