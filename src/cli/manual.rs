//! Completion scripts and manual pages, made from the words of the command line.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Error, Status, emit};

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> Result<Status, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wormwatch", &mut script);
    emit(out, &String::from_utf8_lossy(&script))?;
    Ok(Status::Done)
}

/// Writes `wormwatch.1` and a page for each command into `folder`.
pub(super) fn write_pages(folder: &Path) -> Result<Status, Error> {
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    Ok(Status::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            completions(shell, &mut script).unwrap();
            assert!(String::from_utf8(script).unwrap().contains("fail-on"), "{shell}");
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();

        write_pages(folder.path()).unwrap();

        for page in ["wormwatch.1", "wormwatch-replay.1", "wormwatch-eval.1"] {
            let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(text.starts_with(".") && text.contains("wormwatch"), "{page}");
        }
    }
}
