//! What a command line says: which file runs, with which Python, and which parameters.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Words before a program, as in `nice -n 10 python train.py`, that are looked through for it.
const WORDS_MAX: usize = 20;

/// A command, as far as it can be read without running it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The Python that it runs with, if it is one.
    pub(super) python: Option<PathBuf>,
    /// The file that runs, or the folder where a module is looked for.
    pub(super) entry_point: Option<PathBuf>,
    /// The options behind what runs: name and text.
    pub(super) params: Vec<(String, String)>,
}

impl Line {
    /// Reads a command.
    pub(super) fn read(words: &[OsString]) -> Self {
        let mut line = Self::default();
        let mut after = 1;
        for (at, word) in words.iter().take(WORDS_MAX).enumerate() {
            let Some(program) = program(word) else { continue };
            if is_python(&program) {
                line.python = Some(program);
                after = line.read_python(words, at + 1);
                break;
            }
            if let Some(python) = interpreter(&program).filter(|path| is_python(path)) {
                line.python = Some(python);
                // A script of one's own, or an installed program such as `torchrun` that runs one.
                if is_own(&program) {
                    line.entry_point = Some(program);
                    after = at + 1;
                } else {
                    after = line.read_script(words, at + 1);
                }
                break;
            }
        }
        if line.python.is_none() {
            if words.first().is_some_and(|word| word == "uv") {
                line.python = environment_of_uv();
            }
            after = line.read_script(words, 0).max(1);
        }
        line.params = options(&words[after.min(words.len())..]);
        line
    }

    /// Reads what follows `python`; answers where the program's own words begin.
    fn read_python(&mut self, words: &[OsString], start: usize) -> usize {
        let mut at = start;
        while let Some(word) = words.get(at) {
            match word.as_bytes() {
                b"-m" => {
                    let module = words.get(at + 1).map(|name| name.to_string_lossy());
                    let own = module.and_then(|name| module_file(&name));
                    if own.is_some() {
                        self.entry_point = own;
                        return at + 2;
                    }
                    return self.read_script(words, at + 2);
                }
                b"-c" => return at + 2,
                b"-X" | b"-W" => at += 2,
                b"-" => return at + 1,
                option if option.starts_with(b"-") => at += 1,
                _ => {
                    self.entry_point = Some(PathBuf::from(word));
                    return at + 1;
                }
            }
        }
        at
    }

    /// Takes the first word that is a file of source; answers where the words behind it begin.
    fn read_script(&mut self, words: &[OsString], start: usize) -> usize {
        for (at, word) in words.iter().enumerate().skip(start) {
            let path = Path::new(word);
            let is_script = path.is_file()
                && (path.extension().is_some_and(|suffix| suffix == "py" || suffix == "sh")
                    || interpreter(path).is_some());
            if is_script {
                self.entry_point = Some(path.to_owned());
                return at + 1;
            }
        }
        start
    }
}

/// The file that a word starts, as the system finds it.
pub(super) fn program(word: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        fs::metadata(path)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if word.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(word)).filter(|path| is_program(path));
    }
    if word.is_empty() || word.as_bytes().starts_with(b"-") {
        return None;
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    env::split_paths(&path).map(|folder| folder.join(word)).find(|path| is_program(path))
}

fn is_python(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["python", "pypy"].iter().any(|start| {
        name.strip_prefix(start)
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    })
}

/// The program in the first line of a script.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(512).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let first = PathBuf::from(words.next()?);
    if first.file_name().is_some_and(|name| name == "env") {
        return program(OsStr::new(words.find(|word| !word.starts_with('-'))?));
    }
    Some(first)
}

/// Whether a script is in the folder that the command is started in, or below.
fn is_own(script: &Path) -> bool {
    let (Ok(here), Ok(script)) = (env::current_dir(), fs::canonicalize(script)) else {
        return false;
    };
    let is_installed = script.parent().is_some_and(|folder| folder.ends_with("bin"));
    script.starts_with(here) && !is_installed
}

/// The file of a module that is here.
fn module_file(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(name.replace('.', "/"));
    [path.with_extension("py"), path.join("__main__.py")].into_iter().find(|each| each.is_file())
}

/// The Python of the project that `uv run` runs in.
fn environment_of_uv() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    let named = env::var_os("UV_PROJECT_ENVIRONMENT").map(PathBuf::from);
    let beside = here.ancestors().map(|folder| folder.join(".venv"));
    named
        .into_iter()
        .chain(beside)
        .map(|folder| folder.join("bin/python"))
        .find(|path| path.is_file())
}

/// `--name value`, `--name=value`, `--name` and `name=value`.
fn options(words: &[OsString]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut words = words.iter().map(|word| word.to_string_lossy()).peekable();
    while let Some(word) = words.next() {
        let option = word.strip_prefix("--");
        if let Some((name, value)) = option.unwrap_or(&word).split_once('=') {
            if is_name(name) {
                found.push((name.to_owned(), value.to_owned()));
            }
        } else if let Some(name) = option.filter(|name| is_name(name)) {
            // A number may be negative.
            let is_value = |next: &str| !next.starts_with('-') || next.parse::<f64>().is_ok();
            let value = words.next_if(|next| is_value(next));
            found.push((name.to_owned(), value.map_or_else(|| "true".into(), Into::into)));
        }
    }
    found
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn options_become_parameters() {
        let found = options(&words("--lr 0.1 --shift -3 --name=a=b -v --fast -x 1 model.depth=4"));
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected = [
            ("lr", "0.1"),
            ("shift", "-3"),
            ("name", "a=b"),
            ("fast", "true"),
            ("model.depth", "4"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn pythons_are_known_by_their_names() {
        for (name, expected) in
            [("python", true), ("/x/python3.11", true), ("pypy3", true), ("python-config", false)]
        {
            assert_eq!(is_python(Path::new(name)), expected, "{name}");
        }
    }
}
