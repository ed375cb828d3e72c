//! Keys for sshd and its users.

use std::path::Path;

use crate::tools::{command, said};

/// Makes a key at `path`, and its public half beside it.
pub(crate) fn make(path: &Path) {
    let made = command("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
}
