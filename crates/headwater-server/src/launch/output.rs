//! What the command prints: passed on byte for byte, the last of it kept.
//!
//! Where standard output or error is a terminal, the command gets one, too, so that it prints as it
//! would without us. Only the output goes through it: keys, Ctrl-C and job control stay with the
//! real terminal, which is the command's as before.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

const TAIL_BYTES_MAX: usize = 64 << 10;
/// How long a stream is quiet before it counts as drained, when something still holds it open.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The last bytes of a stream, or of two.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let more = kept.len().saturating_sub(TAIL_BYTES_MAX);
        kept.drain(..more);
    }

    /// What is kept now.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// What one stream adds to tails: whole lines, so that those of two streams do not mix.
struct Lines {
    tails: Vec<Tail>,
    begun: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        let whole = match self.begun.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.begun.len() > TAIL_BYTES_MAX => self.begun.len(),
            None => return,
        };
        self.flush(whole);
    }

    fn flush(&mut self, length: usize) {
        for tail in &self.tails {
            tail.push(&self.begun[..length]);
        }
        self.begun.drain(..length);
    }
}

/// Where one or both of the streams of the command come out.
struct Stream {
    reader: File,
    writer: OwnedFd,
    is_terminal: bool,
}

impl Stream {
    fn like(real: BorrowedFd<'_>) -> io::Result<Self> {
        if !isatty(real) {
            let (reader, writer) = io::pipe()?;
            let reader = File::from(OwnedFd::from(reader));
            return Ok(Self { reader, writer: writer.into(), is_terminal: false });
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let writer = ioctl_tiocgptpeer(&master, flags)?;
        // The real terminal makes of line breaks what it will.
        let mut modes = tcgetattr(&writer)?;
        modes.make_raw();
        tcsetattr(&writer, OptionalActions::Now, &modes)?;
        tcsetwinsize(&master, tcgetwinsize(real)?)?;
        Ok(Self { reader: File::from(master), writer, is_terminal: true })
    }
}

/// The streams of the command.
pub(super) struct Outputs {
    /// Both, as they came.
    pub(super) tail: Tail,
    pub(super) error_tail: Tail,
    has_ended: Arc<AtomicBool>,
    pumps: Vec<Pump>,
    terminals: Vec<Terminal>,
}

struct Pump {
    thread: JoinHandle<()>,
    is_drained: Arc<AtomicBool>,
}

impl Outputs {
    /// Opens them; the command gets the two ends.
    pub(super) fn open() -> io::Result<(Self, [OwnedFd; 2])> {
        let mut outputs = Self {
            tail: Tail::default(),
            error_tail: Tail::default(),
            has_ended: Arc::default(),
            pumps: Vec::new(),
            terminals: Vec::new(),
        };
        let (tail, error_tail) = (outputs.tail.clone(), outputs.error_tail.clone());
        let [real, real_error] = [real(io::stdout())?, real(io::stderr())?];
        let output = Stream::like(real.as_fd())?;
        // Where both lead to one place, what comes out of one pipe stays in its order.
        if is_same(&real, &real_error)? {
            let error = output.writer.try_clone()?;
            let writer = outputs.pump(output, real, vec![tail, error_tail])?;
            return Ok((outputs, [writer, error]));
        }
        let error = Stream::like(real_error.as_fd())?;
        let writer = outputs.pump(output, real, vec![tail.clone()])?;
        let error = outputs.pump(error, real_error, vec![tail, error_tail])?;
        Ok((outputs, [writer, error]))
    }

    fn pump(&mut self, stream: Stream, real: File, tails: Vec<Tail>) -> io::Result<OwnedFd> {
        if stream.is_terminal {
            let real = real.try_clone()?;
            self.terminals.push(Terminal { real, ours: stream.reader.try_clone()? });
        }
        let has_ended = Arc::clone(&self.has_ended);
        let is_drained = Arc::new(AtomicBool::new(false));
        let drained = Arc::clone(&is_drained);
        let thread = thread::Builder::new().name("output".into()).spawn(move || {
            let mut lines = Lines { tails, begun: Vec::new() };
            let _ = copy(stream.reader, real, &mut lines, &has_ended, &drained);
            lines.flush(lines.begun.len());
            drained.store(true, Ordering::Release);
        })?;
        self.pumps.push(Pump { thread, is_drained });
        Ok(stream.writer)
    }

    /// The terminals that stand in for real ones.
    pub(super) fn take_terminals(&mut self) -> Vec<Terminal> {
        mem::take(&mut self.terminals)
    }

    /// Waits until all that the command had printed by its end is passed on.
    pub(super) fn drain(&self) {
        self.has_ended.store(true, Ordering::Release);
        while self.pumps.iter().any(|pump| !pump.is_drained.load(Ordering::Acquire)) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until nothing can be printed any more.
    pub(super) fn join(self) {
        for pump in self.pumps {
            let _ = pump.thread.join();
        }
    }
}

/// A terminal that stands in for a real one.
pub(super) struct Terminal {
    real: File,
    ours: File,
}

impl Terminal {
    /// Takes over the size of the real one.
    pub(super) fn resize(&self) {
        if let Ok(size) = tcgetwinsize(&self.real) {
            let _ = tcsetwinsize(&self.ours, size);
        }
    }
}

/// A stream of ours without the buffer of the standard library.
fn real(stream: impl AsFd) -> io::Result<File> {
    Ok(File::from(stream.as_fd().try_clone_to_owned()?))
}

fn is_same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Passes on until there is nothing more to come, or nobody to take it: then the reader is closed,
/// and the command hears of it as it would without us.
fn copy(
    mut reader: File,
    mut real: File,
    lines: &mut Lines,
    has_ended: &AtomicBool,
    drained: &AtomicBool,
) -> io::Result<()> {
    let mut part = vec![0; 64 << 10];
    loop {
        let has_ended = has_ended.load(Ordering::Acquire);
        let ready = poll(&mut [PollFd::new(&reader, PollFlags::IN)], Some(&QUIET));
        if matches!(ready, Ok(0)) {
            if has_ended {
                lines.flush(lines.begun.len());
                drained.store(true, Ordering::Release);
            }
            continue;
        }
        // A terminal that nobody has open any more answers with an error.
        let length = match reader.read(&mut part) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            answer => answer?,
        };
        if length == 0 {
            return Ok(());
        }
        lines.push(&part[..length]);
        write_all(&mut real, &part[..length])?;
    }
}

/// Writes to what may be set not to wait.
fn write_all(real: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match real.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&*real, PollFlags::OUT)], None)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
