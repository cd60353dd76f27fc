//! `headwater traced-exec`: waits to be traced, has the calls that name files reported, and becomes
//! the command.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::libc;
use nix::sys::signal::{SigSet, Signal, raise};
use seccompiler::sock_filter;

/// Says to the keeper that the kernel took no filter. The command has not begun then.
pub(super) const REFUSED: u8 = 77;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Becomes the command, under a filter if the keeper traces.
pub(crate) fn traced_exec(command: &[OsString], is_traced: bool) -> ExitCode {
    if is_traced {
        // Until the keeper has taken hold of this process.
        let _ = raise(Signal::SIGSTOP);
        if seccompiler::apply_filter(&program()).is_err() {
            return ExitCode::from(REFUSED);
        }
    }
    // The keeper's is inherited, which blocks all.
    let _ = SigSet::empty().thread_set_mask();
    let Some((name, args)) = command.split_first() else { return ExitCode::FAILURE };
    let error = Command::new(name).args(args).exec();
    let name = name.to_string_lossy();
    let _ = writeln!(io::stderr(), "error: `{name}` cannot be run: {error}");
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

/// The calls that name files. Of programs of another architecture nothing is reported.
pub(super) fn calls() -> Vec<i64> {
    #[cfg(target_arch = "x86_64")]
    let older = [libc::SYS_open, libc::SYS_creat, libc::SYS_rename, libc::SYS_link];
    #[cfg(target_arch = "aarch64")]
    let older = [];
    let mut calls = vec![
        libc::SYS_openat,
        libc::SYS_openat2,
        libc::SYS_renameat,
        libc::SYS_renameat2,
        libc::SYS_linkat,
        libc::SYS_truncate,
    ];
    calls.extend::<Vec<i64>>(older.into());
    calls
}

/// The filter. It is written here because the library's compiler ends programs of another
/// architecture, such as those of 32 bits.
fn program() -> Vec<sock_filter> {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    // The offsets of `arch` and `nr` in what the kernel shows to a filter.
    let (arch, number) = (4, 0);
    let line = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let calls = calls();
    let count = u8::try_from(calls.len()).expect("there are a dozen");
    let mut lines = vec![
        line(LOAD, 0, 0, arch),
        line(JUMP_IF_EQUAL, 0, count + 1, ARCHITECTURE),
        line(LOAD, 0, 0, number),
    ];
    for (at, call) in calls.iter().enumerate() {
        let left = count - u8::try_from(at).expect("there are a dozen");
        let call = u32::try_from(*call).expect("numbers of calls are small");
        lines.push(line(JUMP_IF_EQUAL, left, 0, call));
    }
    lines.push(line(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    lines.push(line(RETURN, 0, 0, libc::SECCOMP_RET_TRACE));
    lines
}
