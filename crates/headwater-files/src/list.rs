//! What there is to read: the plain files of a folder, and how they looked when they were found.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::{Error, Reason};

/// Each takes some 200 bytes of memory. Links can make a small folder look like more than this.
const FILES_MAX: usize = 10_000_000;
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What is compared to notice a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    pub(crate) size_bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    fn id(self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Refuses what is not any more as it was.
    pub(crate) fn check(self, path: &Path) -> Result<(), Error> {
        match fs::metadata(path) {
            Ok(metadata) if Self::of(&metadata) == self => Ok(()),
            Ok(_) => Err(Error::new(path, Reason::Changed)),
            Err(error) => Err(gone(path, error)),
        }
    }
}

/// The error for what was there a moment ago.
pub(crate) fn gone(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::new(path, Reason::Vanished)
        }
        _ => Error::unreadable(path, error),
    }
}

/// A plain file.
#[derive(Debug)]
pub(crate) struct File {
    /// To open it by.
    pub(crate) path: PathBuf,
    /// Relative to the folder.
    pub(crate) relative: Vec<u8>,
    pub(crate) seen: Stamp,
}

/// What there is to read.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) path: PathBuf,
    /// In the order of the bytes of their relative paths.
    pub(crate) files: Vec<File>,
    pub(crate) folders: Vec<(PathBuf, Stamp)>,
    pub(crate) size_bytes: u64,
    /// Or it is one file.
    pub(crate) is_folder: bool,
}

/// A folder that is still to be listed, and those it is in.
struct Folder {
    path: PathBuf,
    relative: Vec<u8>,
    seen: Stamp,
    around: Option<Rc<Folder>>,
}

/// Lists a folder, or a file as the only one.
pub(crate) fn list(
    path: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<List, Error> {
    let metadata = fs::metadata(path).map_err(|error| unseen(path, error))?;
    let seen = Stamp::of(&metadata);
    let mut made = List {
        path: path.to_owned(),
        files: vec![],
        folders: vec![],
        size_bytes: 0,
        is_folder: false,
    };
    if metadata.is_file() {
        made.size_bytes = seen.size_bytes;
        made.files.push(File { path: path.to_owned(), relative: vec![], seen });
        return Ok(made);
    }
    if !metadata.is_dir() {
        return Err(Error::new(path, Reason::NotAFile));
    }
    made.is_folder = true;
    let outside = ids_around(path)?;
    let mut waiting =
        vec![Rc::new(Folder { path: path.to_owned(), relative: vec![], seen, around: None })];
    let mut told = Instant::now();
    while let Some(folder) = waiting.pop() {
        made.folders.push((folder.path.clone(), folder.seen));
        let entries = fs::read_dir(&folder.path).map_err(|error| gone(&folder.path, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Error::unreadable(&folder.path, error))?;
            add(&entry, &folder, &outside, &mut made, &mut waiting)?;
            if made.files.len() > FILES_MAX {
                return Err(Error::new(path, Reason::TooMany(FILES_MAX)));
            }
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                if progress(0, made.size_bytes).is_break() {
                    return Err(Error::new(path, Reason::Stopped));
                }
            }
        }
    }
    made.files.sort_unstable_by(|one, other| one.relative.cmp(&other.relative));
    Ok(made)
}

/// Adds an entry of a folder to the files, or to the folders that wait.
fn add(
    entry: &fs::DirEntry,
    folder: &Rc<Folder>,
    outside: &HashSet<(u64, u64)>,
    made: &mut List,
    waiting: &mut Vec<Rc<Folder>>,
) -> Result<(), Error> {
    let path = entry.path();
    let is_link = entry.file_type().map_err(|error| gone(&path, error))?.is_symlink();
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if is_link => return Err(unseen(&path, error)),
        Err(error) => return Err(gone(&path, error)),
    };
    let mut relative = folder.relative.clone();
    if !relative.is_empty() {
        relative.push(b'/');
    }
    relative.extend_from_slice(entry.file_name().as_bytes());
    let seen = Stamp::of(&metadata);
    if metadata.is_file() {
        made.size_bytes = made.size_bytes.saturating_add(seen.size_bytes);
        made.files.push(File { path, relative, seen });
    } else if metadata.is_dir() {
        let around = |id| {
            let mut inner = Some(folder);
            while let Some(each) = inner {
                if each.seen.id() == id {
                    return true;
                }
                inner = each.around.as_ref();
            }
            outside.contains(&id)
        };
        if !(is_link && around(seen.id())) {
            waiting.push(Rc::new(Folder { path, relative, seen, around: Some(folder.clone()) }));
        }
    }
    Ok(())
}

/// The folders around this one: a link to one of them would lead back here.
fn ids_around(path: &Path) -> Result<HashSet<(u64, u64)>, Error> {
    let full = fs::canonicalize(path).map_err(|error| Error::unreadable(path, error))?;
    let mut found = HashSet::new();
    for folder in full.ancestors().skip(1) {
        // One that may not be looked at cannot be read through a link either.
        if let Ok(metadata) = fs::metadata(folder) {
            found.insert(Stamp::of(&metadata).id());
        }
    }
    Ok(found)
}

/// The error for what cannot be looked at.
fn unseen(path: &Path, error: io::Error) -> Error {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if is_link {
        return Error::new(path, Reason::BrokenLink(error));
    }
    Error::unreadable(path, error)
}
