//! Gives up what the process may do, once the capture is open: packets are parsed without any
//! capability, and nothing that is executed later can regain one.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, set_capabilities,
    set_no_new_privs,
};

/// A privilege could not be given up.
#[derive(Debug, thiserror::Error)]
#[error("cannot give up privileges ({step})")]
pub struct PrivilegeError {
    /// Which step failed.
    step: &'static str,
    /// Why.
    source: io::Error,
}

/// Drops every capability of the calling thread. Threads inherit what their creator has, so this
/// comes before any other is started. Sockets that are open stay usable.
///
/// Under a system-call filter without capset, as in `systemd/wormwatch.service`, what the service
/// manager left stays with this process, and only what it would execute has nothing.
pub(super) fn drop_all() -> Result<(), PrivilegeError> {
    let failed = |step| move |errno: Errno| PrivilegeError { step, source: errno.into() };
    set_no_new_privs(true).map_err(failed("no_new_privs"))?;
    clear_ambient_capability_set().map_err(failed("ambient set"))?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    match set_capabilities(None, sets) {
        // The kernel never refuses to drop (capset(2)): a filter did.
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(failed("capset")(errno)),
    }
}

/// Whether the calling thread still has any capability.
pub(super) fn any_left() -> bool {
    capabilities(None)
        .is_ok_and(|sets| !(sets.effective | sets.permitted | sets.inheritable).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_a_thread_without_any_capability() {
        // Capabilities belong to a thread, so the other tests keep theirs.
        let left = std::thread::spawn(|| {
            drop_all().unwrap();
            any_left()
        });

        assert!(!left.join().unwrap());
    }
}
