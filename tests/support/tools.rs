//! Programs that a test needs and that `./setup` installs.

use std::path::Path;
use std::process::{Command, Output};

/// Where Debian puts programs; a developer's own `python3` or `curl` shall not change a result.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether every one of `tools` is installed. In CI a missing one is a failure; elsewhere it is
/// said aloud, and the caller returns.
pub(crate) fn present(tools: &[&str]) -> bool {
    let missing: Vec<_> = tools
        .iter()
        .filter(|tool| !PATH.split(':').any(|folder| Path::new(folder).join(tool).exists()))
        .collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "not installed: {missing:?}; run ./setup");
    eprintln!("skipped: not installed: {missing:?}; run ./setup");
    false
}

/// A program found in [`PATH`] alone.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", PATH);
    command
}

/// Everything that a program said, for a message.
pub(crate) fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}
