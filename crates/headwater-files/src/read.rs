//! Reading files once, for both digests, on all cores.

use std::cmp::Reverse;
use std::fs;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Instant;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::list::{File, List, PROGRESS_EVERY, Stamp, gone};
use crate::{Error, Reason, hex};

const PART_BYTES: u64 = 1 << 20;
/// From here on a second thread for a file is worth its start; and such files are read first.
const LARGE_BYTES_MIN: u64 = 4 << 20;
/// Parts that were read and wait for the slower of the two digests.
const PARTS_AHEAD_MAX: usize = 4;

/// Both digests.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) sha256: [u8; 32],
    pub(crate) md5: [u8; 16],
}

/// Both digests while they are made.
#[derive(Default)]
struct Hashers {
    sha256: Sha256,
    md5: Md5,
}

impl Hashers {
    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.update(bytes);
    }

    fn finish(self) -> Both {
        Both { sha256: self.sha256.finalize().into(), md5: self.md5.finalize().into() }
    }
}

/// The digests of a folder's list.
pub(crate) fn of_lines<'a>(files: impl Iterator<Item = (&'a [u8], &'a Both)>) -> Both {
    let mut lines = Hashers::default();
    for (relative, both) in files {
        lines.update(relative);
        lines.update(b"\0");
        lines.sha256.update(hex(&both.sha256));
        lines.md5.update(hex(&both.md5));
        lines.update(b"\n");
    }
    lines.finish()
}

/// What the threads share.
struct Work<'a> {
    list: &'a List,
    /// Places in the list: large files first, so that no core is left waiting for the last.
    order: Vec<usize>,
    next: AtomicUsize,
    done_bytes: AtomicU64,
    is_stopped: AtomicBool,
    cores: usize,
}

/// A file's place in the list, and its digests or what is in the way.
type Found = (usize, Result<Both, Error>);

/// Digests of all files, in the order of the list.
pub(crate) fn read(
    list: &List,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Vec<Both>, Error> {
    let work = Work::new(list);
    let mut found: Vec<Found> = thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for number in 0..work.cores.min(list.files.len()) {
            let thread = thread::Builder::new().name("headwater-files".to_owned());
            let (work, sender_of_it) = (&work, sender.clone());
            if thread.spawn_scoped(scope, move || work.run(&sender_of_it)).is_err() {
                // Fewer threads do it, too.
                if number == 0 {
                    work.run(&sender);
                }
                break;
            }
        }
        drop(sender);
        work.collect(&results, progress)
    });
    if let Some(at) = found.iter().position(|(_, both)| is_failure(both)) {
        return Err(found.swap_remove(at).1.err().unwrap_or_else(|| work.stopped()));
    }
    found.sort_unstable_by_key(|(at, _)| *at);
    let both: Vec<Both> = found.into_iter().filter_map(|(_, both)| both.ok()).collect();
    if both.len() < list.files.len() { Err(work.stopped()) } else { Ok(both) }
}

/// That a thread was stopped is not what went wrong.
fn is_failure(both: &Result<Both, Error>) -> bool {
    both.as_ref().is_err_and(|error| !matches!(error.reason, Reason::Stopped))
}

impl<'a> Work<'a> {
    fn new(list: &'a List) -> Self {
        let mut order: Vec<usize> = (0..list.files.len()).collect();
        let large_bytes = |at: usize| {
            let size_bytes = list.files.get(at).map_or(0, |file| file.seen.size_bytes);
            if size_bytes < LARGE_BYTES_MIN { 0 } else { size_bytes }
        };
        // Stable, so that small files are read folder by folder.
        order.sort_by_key(|at| Reverse(large_bytes(*at)));
        Self {
            list,
            order,
            next: AtomicUsize::new(0),
            done_bytes: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Takes what the threads find until they have ended.
    fn collect(
        &self,
        results: &Receiver<Found>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Vec<Found> {
        let mut found = Vec::with_capacity(self.list.files.len());
        let mut told = Instant::now();
        loop {
            let is_last = match results.recv_timeout(PROGRESS_EVERY) {
                Ok(one) => {
                    if one.1.is_err() {
                        self.is_stopped.store(true, Ordering::Relaxed);
                    }
                    found.push(one);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if is_last || told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                let done_bytes = self.done_bytes.load(Ordering::Relaxed);
                if progress(done_bytes, self.list.size_bytes).is_break() {
                    self.is_stopped.store(true, Ordering::Relaxed);
                    if is_last {
                        found.clear();
                    }
                }
            }
            if is_last {
                return found;
            }
        }
    }

    /// Reads one file after another until there is none left.
    fn run(&self, sender: &Sender<Found>) {
        let mut part = Vec::new();
        while !self.is_stopped.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(at) = self.order.get(next) else { return };
            let Some(file) = self.list.files.get(*at) else { return };
            // Who collects outlives this thread.
            let _ = sender.send((*at, self.read_file(file, &mut part)));
        }
    }

    fn read_file(&self, file: &File, part: &mut Vec<u8>) -> Result<Both, Error> {
        let path = &file.path;
        // Not to wait for a writer if it has become a pipe.
        let opened = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let mut source = Source {
            work: self,
            file: opened.map_err(|error| gone(path, error))?,
            seen: file,
            left_bytes: file.seen.size_bytes,
        };
        source.check()?;
        let size_bytes = file.seen.size_bytes;
        // More than its share: the other cores would wait for it.
        let is_most = size_bytes.saturating_mul(self.cores as u64) > self.list.size_bytes;
        let both = if is_most && self.cores > 1 && size_bytes >= LARGE_BYTES_MIN {
            source.read_on_two_threads(part)?
        } else {
            source.read_on_one_thread(part)?
        };
        source.check()?;
        // What has its name now may be another file.
        file.seen.check(path)?;
        Ok(both)
    }

    fn stopped(&self) -> Error {
        Error::new(&self.list.path, Reason::Stopped)
    }
}

/// A file that is read, part by part.
struct Source<'a> {
    work: &'a Work<'a>,
    file: fs::File,
    seen: &'a File,
    left_bytes: u64,
}

impl Source<'_> {
    /// Refuses a file that is not any more as it was listed.
    fn check(&self) -> Result<(), Error> {
        let path = &self.seen.path;
        let metadata = self.file.metadata().map_err(|error| Error::unreadable(path, error))?;
        if Stamp::of(&metadata) == self.seen.seen { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        Error::new(&self.seen.path, Reason::Changed)
    }

    /// Reads the next part in place of what is there; whether there was one.
    fn read_part(&mut self, part: &mut Vec<u8>) -> Result<bool, Error> {
        let path = &self.seen.path;
        if self.work.is_stopped.load(Ordering::Relaxed) {
            return Err(Error::new(path, Reason::Stopped));
        }
        // One byte more than there should be, to see that it grows.
        let wanted_bytes = self.left_bytes.saturating_add(1).min(PART_BYTES);
        part.clear();
        part.reserve(usize::try_from(wanted_bytes).unwrap_or_default());
        (&mut self.file)
            .take(wanted_bytes)
            .read_to_end(part)
            .map_err(|error| Error::unreadable(path, error))?;
        let read_bytes = part.len() as u64;
        let Some(left_bytes) = self.left_bytes.checked_sub(read_bytes) else {
            return Err(self.changed());
        };
        self.left_bytes = left_bytes;
        self.work.done_bytes.fetch_add(read_bytes, Ordering::Relaxed);
        if read_bytes < wanted_bytes && left_bytes > 0 {
            return Err(self.changed());
        }
        Ok(read_bytes > 0)
    }

    /// MD5, the slower one where the processor knows SHA-256, has a thread of its own.
    fn read_on_two_threads(&mut self, spare: &mut Vec<u8>) -> Result<Both, Error> {
        let (parts, waiting) = mpsc::sync_channel::<Vec<u8>>(PARTS_AHEAD_MAX);
        let (used, free) = mpsc::channel();
        thread::scope(|scope| {
            let md5 = thread::Builder::new().name("headwater-md5".to_owned());
            let md5 = md5.spawn_scoped(scope, move || {
                let mut hasher = Md5::new();
                for part in waiting {
                    hasher.update(&part);
                    // Who reads may have given up.
                    let _ = used.send(part);
                }
                hasher.finalize()
            });
            let Ok(md5) = md5 else { return self.read_on_one_thread(spare) };
            let mut sha256 = Sha256::new();
            loop {
                let mut part = free.try_recv().unwrap_or_default();
                if !self.read_part(&mut part)? {
                    break;
                }
                sha256.update(&part);
                let _ = parts.send(part);
            }
            drop(parts);
            let md5 = md5.join().map_err(|_| self.work.stopped())?;
            Ok(Both { sha256: sha256.finalize().into(), md5: md5.into() })
        })
    }

    fn read_on_one_thread(&mut self, part: &mut Vec<u8>) -> Result<Both, Error> {
        let mut hashers = Hashers::default();
        while self.read_part(part)? {
            hashers.update(part);
        }
        Ok(hashers.finish())
    }
}
