//! What is recorded when the command has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use headwater_proto::ml_metadata::execution::State;
use headwater_store::vocabulary::{
    CODE, DIGEST_MD5, DIGEST_SHA256, ENVIRONMENT, FILES, FORMAT, RUN_ENDED, RUN_ERROR,
    RUN_EXIT_CODE, RUN_LOG_TAIL, RUN_PROBLEMS, RUN_TRACEBACK, SIZE_BYTES,
};
use nix::libc;
use nix::sys::signal::Signal;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use std::os::unix::ffi::OsStrExt as _;

use super::capture::{Code, Environment};
use super::files::{Item, chosen};
use super::graph::{Properties, Shared, Version, int, of_json, text};
use super::record::{Ending, Recorder};
use super::resources::now_ms;
use super::run::{Launch, Phase, joined};
use super::{End, Outcome};
use crate::client::Place;

const TAIL_LINES_MAX: usize = 200;
/// What stands for itself in the path of a URI.
const URI: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'#').add(b'?');

/// How the command ended, and the last signal that asked us for an end.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) signal: Option<i32>,
}

impl Ended {
    fn state(&self) -> State {
        match (self.outcome.end, self.signal) {
            (End::Code(0), _) => State::Complete,
            (End::Signal(libc::SIGINT), _) | (_, Some(_)) => State::Canceled,
            _ => State::Failed,
        }
    }

    /// What ended a run that is not complete, in a line, and the traceback.
    fn error(&self) -> Option<(String, Option<String>)> {
        if self.outcome.end == End::Code(0) {
            return None;
        }
        let found = traceback(&lines(&self.outcome.error_tail));
        let reason = match (self.outcome.end, self.signal) {
            (_, Some(number)) => format!("ended by {}", name_of_signal(number)),
            (End::Signal(libc::SIGKILL), _) => "killed by SIGKILL (out of memory?)".to_owned(),
            (End::Signal(number), _) => format!("killed by {}", name_of_signal(number)),
            (End::Code(code), _) => format!("exit code {code}"),
        };
        Some(match found {
            Some((error, text)) => (error, Some(text)),
            None => (reason, None),
        })
    }
}

/// Records the end, and says where it is to be found.
pub(super) fn finish(launch: &Launch<'_>, ended: Ended, recorder: &mut Recorder, phase: &Phase) {
    let ended_ms = now_ms();
    let (state, error) = (ended.state(), ended.error());
    let Outcome { end, files, tail, problems: unseen, .. } = ended.outcome;
    let (mut items, mut problems) = chosen(files, &launch.rules);
    add_named(launch, &mut items, &mut problems);
    let versions = versions(items, &mut problems, phase);
    let mut properties = Properties::from([
        (RUN_ENDED.to_owned(), int(ended_ms)),
        (RUN_EXIT_CODE.to_owned(), int(end.exit_code().into())),
    ]);
    let tail = lines(&tail);
    if !tail.is_empty() {
        properties.insert(RUN_LOG_TAIL.to_owned(), text(tail.join("\n")));
    }
    if let Some((error, traceback)) = error {
        properties.insert(RUN_ERROR.to_owned(), text(error));
        properties.extend(traceback.map(|found| (RUN_TRACEBACK.to_owned(), text(found))));
    }
    let problems = joined(&[&launch.capture.problems, &unseen, &problems]);
    if !problems.is_empty() {
        properties.insert(RUN_PROBLEMS.to_owned(), text(problems));
    }
    let shared = launch.capture.code.iter().map(of_code);
    let shared = shared.chain(launch.capture.environment.iter().map(of_environment)).collect();
    let inputs = versions.iter().filter(|version| version.is_input).count();
    let outputs = versions.len() - inputs;
    let recorded = recorder.finish(Ending { state, properties, shared, versions });
    let place = match &launch.place {
        Place::Store(url) => url.to_string(),
        Place::Server(url) => url.clone(),
    };
    let name = &launch.name;
    let said = match (recorded, recorder.id()) {
        (Ok(()), Some(id)) => format!(
            "headwater: run {id} `{name}` is {}: {inputs} inputs, {outputs} outputs, in {place}",
            state.as_str_name()
        ),
        (Err(problem), Some(id)) => {
            format!("headwater: run {id} `{name}` in {place} is not recorded whole: {problem}")
        }
        (result, None) => {
            let problem = result.err().unwrap_or_default();
            format!("headwater: run `{name}` is not recorded in {place}: {problem}")
        }
    };
    let _ = writeln!(io::stderr(), "{said}");
}

/// Files and folders that the caller has named.
fn add_named(launch: &Launch<'_>, items: &mut Vec<Item>, problems: &mut Vec<String>) {
    let inputs = launch.args.inputs.iter().map(|path| (path, true));
    let outputs = launch.args.outputs.iter().map(|path| (path, false));
    for (path, is_input) in inputs.chain(outputs) {
        match fs::canonicalize(path) {
            Ok(path) => {
                // A folder stands for what is in it.
                items.retain(|item| item.is_input != is_input || !item.path.starts_with(&path));
                items.push(Item { path, is_input, stamp: None });
            }
            Err(error) => problems.push(format!("`{}` is not there: {error}.", path.display())),
        }
    }
}

/// Reads all of them whole, unless the caller is in a hurry.
fn versions(items: Vec<Item>, problems: &mut Vec<String>, phase: &Phase) -> Vec<Version> {
    let mut found = Vec::new();
    let mut left = BTreeSet::new();
    for item in items {
        if phase.hurries() {
            left.insert(item.path);
            continue;
        }
        match item.digest(&|| phase.hurries()) {
            Ok(digest) => found.push(version(&item, &digest)),
            Err(_) if phase.hurries() => {
                left.insert(item.path);
            }
            Err(reason) => problems.push(format!("{reason}, so it is not recorded.")),
        }
    }
    if !left.is_empty() {
        problems.push(format!("{} files were not read for their digests: Ctrl-C.", left.len()));
    }
    found
}

fn version(item: &Item, digest: &headwater_files::Digest) -> Version {
    let name = item.path.file_name().unwrap_or_default().to_string_lossy();
    let int_of = |number: u64| int(i64::try_from(number).unwrap_or(i64::MAX));
    let mut properties = Properties::from([
        (DIGEST_SHA256.to_owned(), text(&digest.sha256)),
        (DIGEST_MD5.to_owned(), text(&digest.md5)),
        (SIZE_BYTES.to_owned(), int_of(digest.size_bytes)),
    ]);
    properties.extend(digest.files.map(|files| (FILES.to_owned(), int_of(files))));
    let format = match digest.files {
        Some(_) => Some("folder".to_owned()),
        None => item.path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()),
    };
    properties.extend(format.map(|format| (FORMAT.to_owned(), text(format))));
    let path = percent_encode(item.path.as_os_str().as_bytes(), URI);
    Version {
        type_name: item.type_name(),
        role: item.role(),
        is_input: item.is_input,
        uri: format!("file://{path}"),
        name: stem(&name),
        digest: format!("sha256:{}", digest.sha256),
        properties,
    }
}

/// What a version is called after its file: without suffix, and without what names may not have.
fn stem(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().replace('@', "-");
    let short: String = stem
        .chars()
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= 120).then_some(c)
        })
        .collect();
    if short.is_empty() { "file".to_owned() } else { short }
}

fn of_code(code: &Code) -> Shared {
    let mut properties = Properties::from([("digest".to_owned(), text(&code.digest))]);
    let commit = code.commit.as_ref().map(|commit| ("code.commit", text(commit)));
    let remote = code.remote.as_ref().map(|remote| ("code.remote", text(remote)));
    let is_dirty = code.is_dirty.and_then(|dirty| of_json(&dirty.into()));
    let is_dirty = is_dirty.map(|dirty| ("code.is_dirty", dirty));
    let known = [commit, remote, is_dirty].into_iter().flatten();
    properties.extend(known.map(|(name, value)| (name.to_owned(), value)));
    let contents = [
        ("code.patch", &code.patch),
        ("code.snapshot", &code.snapshot),
        ("code.details", &code.details),
    ];
    Shared {
        type_name: CODE,
        role: "code",
        digest: code.digest.clone(),
        properties,
        contents: contents_of(contents),
    }
}

fn of_environment(environment: &Environment) -> Shared {
    let mut properties = Properties::from([("digest".to_owned(), text(&environment.digest))]);
    for (name, value) in &environment.python {
        properties.insert(format!("python.{name}"), text(value));
    }
    for (name, version) in &environment.packages {
        properties.insert(format!("package.{name}"), text(version));
    }
    for (name, value) in &environment.system {
        properties.extend(of_json(value).map(|value| (name.clone(), value)));
    }
    let mut contents = contents_of([
        ("requirements", &environment.requirements),
        ("environment.details", &environment.details),
    ]);
    for (path, file) in &environment.files {
        contents.extend(file.0.clone().map(|file| (format!("file.{path}"), file)));
    }
    Shared {
        type_name: ENVIRONMENT,
        role: "environment",
        digest: environment.digest.clone(),
        properties,
        contents,
    }
}

/// Those that are there and not empty: an empty patch says nothing.
fn contents_of<const N: usize>(
    contents: [(&str, &Option<Vec<u8>>); N],
) -> BTreeMap<String, Vec<u8>> {
    let known = contents.into_iter().filter_map(|(name, of)| Some((name, of.clone()?)));
    known.filter(|(_, of)| !of.is_empty()).map(|(name, of)| (name.to_owned(), of)).collect()
}

fn name_of_signal(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |it| it.to_string())
}

/// The last lines of a text, as a terminal would show them: what a progress bar has overwritten is
/// gone.
fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    let shown = |line: &str| {
        let line = line.trim_end_matches('\r');
        line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default().to_owned()
    };
    let all: Vec<String> = text.lines().map(shown).collect();
    all[all.len().saturating_sub(TAIL_LINES_MAX)..].to_vec()
}

/// The last traceback of Python in some lines: what was raised, and all of its text with those that
/// led to it. A launcher may have put a prefix before each line.
fn traceback(lines: &[String]) -> Option<(String, String)> {
    const START: &str = "Traceback (most recent call last):";
    let last = lines.iter().rposition(|line| line.contains(START))?;
    let prefix = &lines[last][..lines[last].find(START)?];
    let plain = |line: &String| line.strip_prefix(prefix).unwrap_or(line).to_owned();
    let raised = lines[last + 1..]
        .iter()
        .map(plain)
        .position(|line| !line.starts_with(' ') && !line.is_empty())?
        + last
        + 1;
    let mut first = last;
    while let Some(before) = lines[..first].iter().rposition(|line| line.contains(START)) {
        let between = lines[before..first].iter().map(plain);
        let leads = between.into_iter().any(|line| {
            line.starts_with("During handling of") || line.starts_with("The above exception was")
        });
        if !leads {
            break;
        }
        first = before;
    }
    let text = lines[first..=raised].iter().map(plain).collect::<Vec<_>>().join("\n");
    Some((plain(&lines[raised]), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_traceback_is_found_with_those_that_led_to_it() {
        let text = "epoch 1\nTraceback (most recent call last):\n  File \"a.py\", line 1\n\
                    KeyError: 'x'\n\nDuring handling of the above exception, another exception \
                    occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", line 2\n    \
                    f()\nValueError: no\nbye";
        let (error, found) = traceback(&split(text)).expect("there is one");
        assert_eq!(error, "ValueError: no");
        assert!(found.starts_with("Traceback") && found.contains("KeyError"), "{found}");
        assert!(found.ends_with("ValueError: no"), "{found}");
    }

    #[test]
    fn a_launchers_prefix_is_taken_off_a_traceback() {
        let text = "[rank0]: Traceback (most recent call last):\n[rank0]:   File \"a.py\"\n\
                    [rank0]: RuntimeError: CUDA out of memory";
        let (error, _) = traceback(&split(text)).expect("there is one");
        assert_eq!(error, "RuntimeError: CUDA out of memory");
    }

    #[test]
    fn of_a_progress_bar_the_last_state_stays() {
        assert_eq!(lines(b"start\r\n 1%\r 50%\r100%\ndone"), ["start", "100%", "done"]);
    }

    #[test]
    fn a_version_is_called_after_its_file() {
        for (name, expected) in [("data.csv", "data"), ("a@b.pt", "a-b"), (".env", ".env")] {
            assert_eq!(stem(name), expected);
        }
    }
}
