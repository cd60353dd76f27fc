//! `headwater keep`: starts the command, traces it, copies its output, and says how it ended.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::libc;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use rustix::process::{WaitOptions, waitpid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::output::{Outputs, Terminal};
use super::trace::{Start, Tracer};
use super::{End, Message, Outcome};
use crate::Failure;
use crate::cli::KeepArgs;

/// The binary itself, also when it has been replaced or deleted since.
pub(super) const PROGRAM: &str = "/proc/self/exe";

/// Where messages go. That nobody listens any more changes nothing for the command.
#[derive(Clone)]
struct Report(Arc<Mutex<File>>);

impl Report {
    fn open(descriptor: i32) -> Result<Self, Failure> {
        let file = File::options().write(true).open(format!("/proc/self/fd/{descriptor}"))?;
        // The one that was handed over would be the command's, too.
        nix::unistd::close(descriptor)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    fn say(&self, message: &Message) {
        if let Ok(mut line) = serde_json::to_vec(message) {
            line.push(b'\n');
            let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
        }
    }
}

/// Runs the command, and stays until all that it started has ended.
pub(crate) fn keep(args: &KeepArgs) -> Result<ExitCode, Failure> {
    // They are the command's, which gets them by itself.
    let mut signals = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE] {
        signals.remove(fault);
    }
    signals.thread_block()?;
    let report = Report::open(args.report)?;
    let (mut outputs, streams) = Outputs::open()?;
    let mut keeper = Keeper { args, report, streams, problems: Vec::new() };
    let traced = if args.no_trace { None } else { keeper.start_traced()? };
    let (mut tracer, main, start) = match traced {
        Some((tracer, main, start)) => (Some(tracer), main, start),
        None => (None, keeper.start_untraced()?, Start::Begun),
    };
    keeper.has_started(main, outputs.take_terminals())?;
    let end = match (start, tracer.as_mut()) {
        (Start::Ended(end), _) => end,
        (_, Some(tracer)) => tracer.follow(),
        (_, None) => wait(main),
    };
    let Keeper { report, streams, problems, .. } = keeper;
    drop(streams);
    outputs.drain();
    let (files, mut more) = tracer.as_mut().map(Tracer::take_files).unwrap_or_default();
    more.extend(problems);
    let (tail, error_tail) = (outputs.tail.bytes(), outputs.error_tail.bytes());
    report.say(&Message::Ended(Outcome { end, files, tail, error_tail, problems: more }));
    drop(report);
    if let Some(mut tracer) = tracer {
        tracer.follow_rest();
    }
    outputs.join();
    Ok(ExitCode::SUCCESS)
}

struct Keeper<'a> {
    args: &'a KeepArgs,
    report: Report,
    /// Standard output and error of the command.
    streams: [OwnedFd; 2],
    problems: Vec<String>,
}

impl Keeper<'_> {
    fn spawn(&self, options: &[&str]) -> Result<Pid, Failure> {
        let [output, error] = &self.streams;
        let child = Command::new(PROGRAM)
            .arg0("headwater")
            .arg("traced-exec")
            .args(options)
            .arg("--")
            .args(&self.args.command)
            .stdout(output.try_clone()?)
            .stderr(error.try_clone()?)
            .spawn()?;
        Ok(Pid::from_raw(i32::try_from(child.id())?))
    }

    /// Starts the command under a tracer; nothing if the system does not let us.
    fn start_traced(&mut self) -> Result<Option<(Tracer, Pid, Start)>, Failure> {
        let main = self.spawn(&["--traced"])?;
        let stopped = rustix::process::Pid::from_raw(main.as_raw());
        waitpid(stopped, WaitOptions::UNTRACED)?;
        let report = self.report.clone();
        let tell_lost = Box::new(move |number| report.say(&Message::Lost(number)));
        let Ok(mut tracer) = Tracer::seize(main, tell_lost) else {
            kill(main, Signal::SIGKILL)?;
            wait(main);
            return Ok(None);
        };
        let start = tracer.begin();
        Ok((start != Start::Refused).then_some((tracer, main, start)))
    }

    fn start_untraced(&mut self) -> Result<Pid, Failure> {
        if !self.args.no_trace {
            let problem = "This system does not allow tracing, so files were not observed.";
            let _ = writeln!(io::stderr(), "headwater: {problem}");
            self.problems.push(problem.to_owned());
        }
        self.spawn(&[])
    }

    /// Says so, and tells from now on which signals are for all of the process group.
    fn has_started(&self, main: Pid, terminals: Vec<Terminal>) -> Result<(), Failure> {
        self.report.say(&Message::Started(main.as_raw()));
        // Who waits for their other ends must not wait for what goes on in the background.
        let nowhere = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&nowhere)?;
        dup2_stdout(&nowhere)?;
        dup2_stderr(&nowhere)?;
        let mut watched = SigSet::empty();
        for signal in super::FORWARDED.into_iter().chain([Signal::SIGWINCH]) {
            watched.add(signal);
        }
        let (signals, report) = (SignalFd::new(&watched)?, self.report.clone());
        thread::Builder::new().name("signals".into()).spawn(move || {
            while let Ok(Some(found)) = signals.read_signal() {
                let number = i32::try_from(found.ssi_signo).unwrap_or_default();
                if number == libc::SIGWINCH && !terminals.is_empty() {
                    terminals.iter().for_each(Terminal::resize);
                    // It may have looked before the size was there.
                    let _ = kill(main, Signal::SIGWINCH);
                } else if number != libc::SIGWINCH {
                    report.say(&Message::Signal(number));
                }
            }
        })?;
        Ok(())
    }
}

/// Waits for one process, whatever else ends.
fn wait(main: Pid) -> End {
    loop {
        match waitpid(rustix::process::Pid::from_raw(main.as_raw()), WaitOptions::empty()) {
            Ok(Some((_, status))) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => return End::Code(code),
                (None, Some(number)) => return End::Signal(number),
                (None, None) => {}
            },
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return End::Signal(libc::SIGKILL),
        }
    }
}
