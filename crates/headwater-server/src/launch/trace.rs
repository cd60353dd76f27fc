//! Follows a command and all that it starts, and notes the files they open.
//!
//! The kernel stops a process at the calls of the filter, and on every signal; see ptrace(2) and
//! seccomp(2). What a call opened is looked up when it is done, by its descriptor: so it does not
//! matter what the path was relative to, or which links it went through.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::IoSliceMut;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, mem, thread};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustix::process::{WaitOptions, WaitStatus, waitpid};

use super::files::is_of_system;
use super::filter::REFUSED;
use super::{End, Stamp, Use};

/// Files of which it is known what was done with them. Of more only the number.
const FILES_MAX: usize = 200_000;
const PAGE_BYTES: usize = 4096;
/// How long a process that stands still is not looked at.
const STOPPED_PAUSE: Duration = Duration::from_millis(20);

/// What files the command uses.
#[derive(Debug, Default)]
pub(super) struct Files {
    uses: BTreeMap<PathBuf, Use>,
    /// Read, and then replaced by another file.
    replaced: Vec<PathBuf>,
    /// Opens above the limit.
    unseen: u64,
}

impl Files {
    fn entry(&mut self, path: PathBuf) -> Option<&mut Use> {
        if self.uses.len() >= FILES_MAX && !self.uses.contains_key(&path) {
            self.unseen += 1;
            return None;
        }
        Some(self.uses.entry(path).or_default())
    }

    fn read(&mut self, path: PathBuf, stamp: Stamp) {
        if let Some(found) = self.entry(path)
            && !found.is_written
        {
            found.read.get_or_insert(stamp);
        }
    }

    fn written(&mut self, path: PathBuf, before: Option<Stamp>) {
        if let Some(found) = self.entry(path)
            && !mem::replace(&mut found.is_written, true)
        {
            found.before = before;
        }
    }

    /// A file, or a folder with all that is in it, has another name now.
    fn renamed(&mut self, old: &Path, new: &Path) {
        if old == new {
            return;
        }
        let moved = self.uses.remove(old);
        if self.uses.remove(new).is_some_and(|found| found.read.is_some()) {
            self.replaced.push(new.to_owned());
        }
        if fs::symlink_metadata(new).is_ok_and(|metadata| metadata.is_file()) {
            let mut moved = moved.unwrap_or_else(|| Use { is_written: true, ..Use::default() });
            moved.before = None;
            if let Some(found) = self.entry(new.to_owned()) {
                *found = moved;
            }
            return;
        }
        let inside: Vec<PathBuf> = self
            .uses
            .range(old.to_owned()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(old))
            .cloned()
            .collect();
        for path in inside {
            if let (Some(found), Ok(rest)) = (self.uses.remove(&path), path.strip_prefix(old)) {
                self.uses.insert(new.join(rest), found);
            }
        }
    }

    /// Two files have changed places.
    fn swapped(&mut self, one: &Path, other: &Path) {
        let written = || Use { is_written: true, ..Use::default() };
        let first = self.uses.remove(one).unwrap_or_else(written);
        let second = self.uses.remove(other).unwrap_or_else(written);
        self.uses.insert(other.to_owned(), first);
        self.uses.insert(one.to_owned(), second);
    }

    /// All of them, and what is not known.
    pub(super) fn take(&mut self) -> (Vec<(OsString, Use)>, Vec<String>) {
        let mut problems = Vec::new();
        if self.unseen > 0 {
            problems.push(format!(
                "More than {FILES_MAX} files were opened; {} later ones are not recorded.",
                self.unseen
            ));
        }
        for path in mem::take(&mut self.replaced) {
            let path = path.display();
            problems.push(format!("`{path}` was read and then replaced, so it is not recorded."));
        }
        let uses = mem::take(&mut self.uses).into_iter();
        (uses.map(|(path, found)| (path.into_os_string(), found)).collect(), problems)
    }
}

/// A call that has begun.
#[derive(Debug)]
enum Call {
    Open { flags: i32, before: Option<Stamp> },
    Rename { old: PathBuf, new: PathBuf, swaps: bool },
    Write { path: PathBuf, before: Option<Stamp> },
}

/// The number of a call, what it was given, and its result once it is done.
struct Registers {
    number: i64,
    args: [u64; 5],
    result: i64,
}

impl Registers {
    #[cfg(target_arch = "x86_64")]
    #[allow(clippy::cast_possible_wrap)]
    fn of(pid: Pid) -> Option<Self> {
        let found = ptrace::getregs(pid).ok()?;
        Some(Self {
            number: found.orig_rax as i64,
            args: [found.rdi, found.rsi, found.rdx, found.r10, found.r8],
            result: found.rax as i64,
        })
    }

    #[cfg(target_arch = "aarch64")]
    #[allow(clippy::cast_possible_wrap)]
    fn of(pid: Pid) -> Option<Self> {
        let found = ptrace::getregs(pid).ok()?.regs;
        Some(Self {
            number: found[8] as i64,
            args: [found[0], found[1], found[2], found[3], found[4]],
            result: found[0] as i64,
        })
    }
}

/// How the command began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It runs.
    Begun,
    /// It cannot be run, which has been said.
    Ended(End),
    /// The kernel did not take the filter; the command has not begun.
    Refused,
}

/// Says that a signal did not reach the command.
pub(super) fn lost_signal(number: i32) -> String {
    format!("The real-time signal {number} is kept from the command while files are observed.")
}

/// The tracer of a command.
pub(super) struct Tracer {
    main: Pid,
    files: Files,
    calls: HashMap<Pid, Call>,
    /// Those that a signal has stopped, until another one lets them go on.
    stopped: Vec<Pid>,
    has_begun: bool,
    is_over: bool,
    /// Signals that could not be passed on, and who is told at once.
    lost: Vec<i32>,
    tell_lost: Box<dyn Fn(i32)>,
}

impl Tracer {
    /// Takes hold of a process that has stopped itself, and lets it go on.
    /// Tells of the first of each kind of signal that cannot be passed on.
    pub(super) fn seize(main: Pid, tell_lost: Box<dyn Fn(i32)>) -> Result<Self, Errno> {
        let options = Options::PTRACE_O_TRACESECCOMP
            | Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC
            // Without a tracer the calls of the filter fail, which no program expects.
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(main, options)?;
        nix::sys::signal::kill(main, Signal::SIGCONT)?;
        Ok(Self {
            main,
            files: Files::default(),
            calls: HashMap::new(),
            stopped: Vec::new(),
            has_begun: false,
            is_over: false,
            lost: Vec::new(),
            tell_lost,
        })
    }

    /// What files were used, so far, and what is not known of them. From now on nothing is noted.
    pub(super) fn take_files(&mut self) -> (Vec<(OsString, Use)>, Vec<String>) {
        self.is_over = true;
        let (files, mut problems) = self.files.take();
        for number in &self.lost {
            problems.push(lost_signal(*number));
        }
        (files, problems)
    }

    /// Follows until the process has become the command.
    pub(super) fn begin(&mut self) -> Start {
        while !self.has_begun {
            match self.step() {
                Ok(Some(End::Code(code))) if code == i32::from(REFUSED) => return Start::Refused,
                Ok(Some(end)) => return Start::Ended(end),
                Ok(None) => {}
                Err(_) => return Start::Refused,
            }
        }
        Start::Begun
    }

    /// Follows until the command itself has ended.
    pub(super) fn follow(&mut self) -> End {
        loop {
            match self.step() {
                Ok(Some(end)) => return end,
                Ok(None) => {}
                // It cannot be waited for: it was ended together with its tracing.
                Err(_) => return End::Signal(libc::SIGKILL),
            }
        }
    }

    /// Follows what the command has left behind, until that has ended, too.
    pub(super) fn follow_rest(&mut self) {
        while self.step().is_ok() {}
    }

    /// Waits for one event; answers how the command ended, if that was it.
    fn step(&mut self) -> Result<Option<End>, Errno> {
        let mut options = WaitOptions::from_bits_retain(libc::__WALL as u32);
        if !self.stopped.is_empty() {
            options |= WaitOptions::NOHANG;
        }
        let (pid, status) = match waitpid(None, options) {
            Ok(Some((pid, status))) => (Pid::from_raw(pid.as_raw_nonzero().get()), status),
            Ok(None) => {
                thread::sleep(STOPPED_PAUSE);
                self.wake();
                return Ok(None);
            }
            Err(error) if error == rustix::io::Errno::INTR => return Ok(None),
            Err(error) => return Err(Errno::from_raw(error.raw_os_error())),
        };
        if status.stopped() {
            self.on_stop(pid, status);
            return Ok(None);
        }
        self.calls.remove(&pid);
        self.stopped.retain(|each| *each != pid);
        let end = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => End::Code(code),
            (None, Some(number)) => End::Signal(number),
            (None, None) => return Ok(None),
        };
        Ok((pid == self.main && !self.is_over).then_some(end))
    }

    fn on_stop(&mut self, pid: Pid, status: WaitStatus) {
        let number = status.stopping_signal().unwrap_or_default();
        match status.as_raw() >> 16 {
            0 if number == libc::SIGTRAP | 0x80 => self.on_done(pid),
            0 => self.pass_on(pid, number),
            libc::PTRACE_EVENT_SECCOMP => return self.on_call(pid),
            libc::PTRACE_EVENT_EXEC => self.has_begun = true,
            // The whole process stands still, as Ctrl-Z has it.
            libc::PTRACE_EVENT_STOP if number != libc::SIGTRAP && self.has_begun => {
                return self.stopped.push(pid);
            }
            _ => {}
        }
        if status.as_raw() >> 16 != 0 || number == libc::SIGTRAP | 0x80 {
            let _ = ptrace::cont(pid, None);
        }
    }

    /// Delivers a signal.
    fn pass_on(&mut self, pid: Pid, number: i32) {
        let signal = Signal::try_from(number).ok();
        // The library has no name for real-time signals, and so no way to deliver them.
        if signal.is_none() && !self.lost.contains(&number) {
            self.lost.push(number);
            (self.tell_lost)(number);
        }
        let _ = ptrace::cont(pid, signal);
    }

    /// Lets processes go on for which there is a signal to do so. The kernel tells only of one that
    /// comes while it is asked to listen, which the library cannot ask for.
    fn wake(&mut self) {
        let states: HashMap<Pid, Option<Pending>> =
            self.stopped.iter().map(|pid| (*pid, Pending::of(*pid))).collect();
        let awake: HashSet<i32> = states
            .values()
            .flatten()
            .filter(|each| each.goes_on)
            .map(|each| each.process)
            .collect();
        self.stopped.retain(|pid| {
            let stays = states[pid].as_ref().is_some_and(|each| !awake.contains(&each.process));
            if !stays {
                let _ = ptrace::cont(*pid, None);
            }
            stays
        });
    }

    /// A call begins.
    fn on_call(&mut self, pid: Pid) {
        let call = if self.is_over { None } else { self.call(pid) };
        let Some(call) = call else {
            let _ = ptrace::cont(pid, None);
            return;
        };
        self.calls.insert(pid, call);
        let _ = ptrace::syscall(pid, None);
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    fn call(&self, pid: Pid) -> Option<Call> {
        let Registers { number, args, .. } = Registers::of(pid)?;
        let folder = |at: usize| args[at] as i32;
        let path = |folder: i32, at: usize| resolved(pid, folder, &text(pid, args[at])?);
        let here = libc::AT_FDCWD;
        match number {
            libc::SYS_openat => open(pid, folder(0), args[1], folder(2)),
            libc::SYS_openat2 => open(pid, folder(0), args[1], word(pid, args[2])? as i32),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open => open(pid, here, args[0], folder(1)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_creat => {
                open(pid, here, args[0], libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC)
            }
            libc::SYS_renameat | libc::SYS_renameat2 => {
                let flags = if number == libc::SYS_renameat2 { args[4] as u32 } else { 0 };
                let swaps = flags & libc::RENAME_EXCHANGE != 0;
                let (old, new) = (path(folder(0), 1)?, path(folder(2), 3)?);
                Some(Call::Rename { old, new, swaps })
            }
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rename => {
                Some(Call::Rename { old: path(here, 0)?, new: path(here, 1)?, swaps: false })
            }
            libc::SYS_linkat => Some(Call::Write { path: path(folder(2), 3)?, before: None }),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_link => Some(Call::Write { path: path(here, 1)?, before: None }),
            libc::SYS_truncate => {
                let path = fs::canonicalize(path(here, 0)?).ok()?;
                let before = Stamp::at(&path);
                Some(Call::Write { path, before })
            }
            _ => None,
        }
    }

    /// A call has ended.
    fn on_done(&mut self, pid: Pid) {
        let (Some(call), Some(registers)) = (self.calls.remove(&pid), Registers::of(pid)) else {
            return;
        };
        if registers.result < 0 || self.is_over {
            return;
        }
        match call {
            Call::Open { flags, before } => self.on_opened(pid, registers.result, flags, before),
            Call::Rename { old, new, swaps: true } => self.files.swapped(&old, &new),
            Call::Rename { old, new, swaps: false } => self.files.renamed(&old, &new),
            Call::Write { path, before } => self.files.written(path, before),
        }
    }

    fn on_opened(&mut self, pid: Pid, descriptor: i64, flags: i32, before: Option<Stamp>) {
        let link = format!("/proc/{pid}/fd/{descriptor}");
        let Ok(path) = fs::read_link(&link) else { return };
        let Ok(metadata) = fs::metadata(&link) else { return };
        if !metadata.is_file() || !path.is_absolute() {
            return;
        }
        let is_read_only = flags & libc::O_ACCMODE == libc::O_RDONLY;
        if is_read_only && flags & libc::O_TRUNC == 0 {
            if !is_of_system(path.as_os_str().as_bytes()) {
                self.files.read(path, Stamp::of(&metadata));
            }
            return;
        }
        // Opened for both it may be read, unless there is nothing in it.
        if flags & (libc::O_ACCMODE | libc::O_TRUNC) == libc::O_RDWR
            && let Some(before) = before.filter(|stamp| stamp.size_bytes > 0)
        {
            self.files.read(path.clone(), before);
        }
        self.files.written(path, before);
    }
}

/// What waits for a thread that stands still.
struct Pending {
    process: i32,
    /// Whether a signal is there that ends the standing still of its whole process.
    goes_on: bool,
}

impl Pending {
    fn of(pid: Pid) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let (mut process, mut pending) = (pid.as_raw(), 0);
        for line in status.lines() {
            let (name, value) = line.split_once(':')?;
            match name {
                "Tgid" => process = value.trim().parse().ok()?,
                "SigPnd" | "ShdPnd" => pending |= u64::from_str_radix(value.trim(), 16).ok()?,
                _ => {}
            }
        }
        let bit = |number: i32| 1u64 << (number - 1);
        let goes_on = pending & (bit(libc::SIGCONT) | bit(libc::SIGKILL)) != 0;
        Some(Self { process, goes_on })
    }
}

/// The beginning of a call that opens a file, if it is worth looking at.
fn open(pid: Pid, folder: i32, path: u64, flags: i32) -> Option<Call> {
    if flags & (libc::O_PATH | libc::O_DIRECTORY) != 0 {
        return None;
    }
    let path = text(pid, path)?;
    if flags & (libc::O_ACCMODE | libc::O_TRUNC) == libc::O_RDONLY {
        let is_usual = path.starts_with(b"/") && is_of_system(&path);
        return (!is_usual).then_some(Call::Open { flags, before: None });
    }
    let before = resolved(pid, folder, &path).and_then(|path| Stamp::at(&path));
    Some(Call::Open { flags, before })
}

/// A path of a process as an absolute one, links in its folder followed.
fn resolved(pid: Pid, folder: i32, path: &[u8]) -> Option<PathBuf> {
    let path = Path::new(OsStr::from_bytes(path));
    let full = if path.is_absolute() {
        path.to_owned()
    } else if folder == libc::AT_FDCWD {
        fs::read_link(format!("/proc/{pid}/cwd")).ok()?.join(path)
    } else {
        fs::read_link(format!("/proc/{pid}/fd/{folder}")).ok()?.join(path)
    };
    match (full.parent(), full.file_name()) {
        (Some(folder), Some(name)) => Some(fs::canonicalize(folder).ok()?.join(name)),
        _ => Some(full),
    }
}

/// The text at an address of a process, up to its NUL.
fn text(pid: Pid, address: u64) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut at = usize::try_from(address).ok()?;
    while found.len() <= PAGE_BYTES {
        // To the end of the page, because the next one may not be there.
        let mut part = vec![0; PAGE_BYTES - at % PAGE_BYTES];
        let length = read(pid, at, &mut part)?;
        let part = &part[..length];
        match part.iter().position(|byte| *byte == 0) {
            Some(end) => {
                found.extend_from_slice(&part[..end]);
                return Some(found);
            }
            None => found.extend_from_slice(part),
        }
        at += length;
    }
    None
}

fn word(pid: Pid, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    let length = read(pid, usize::try_from(address).ok()?, &mut bytes)?;
    (length == bytes.len()).then(|| u64::from_ne_bytes(bytes))
}

fn read(pid: Pid, base: usize, into: &mut [u8]) -> Option<usize> {
    let remote = RemoteIoVec { base, len: into.len() };
    let length = process_vm_readv(pid, &mut [IoSliceMut::new(into)], &[remote]).ok()?;
    (length > 0).then_some(length)
}
