//! Gives up what the process may do: packets are parsed with the one capability that opening an
//! interface takes, and nothing that is executed can regain another.

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

/// What stays: without it an interface that goes down and comes back could not be opened again.
const KEPT: CapabilitySet = CapabilitySet::NET_RAW;

/// Drops every capability of the calling thread but CAP_NET_RAW. Threads inherit what their
/// creator has, so this comes before any other is started; what is executed inherits nothing.
///
/// Under a system-call filter without capset, as in `systemd/wormwatch.service`, the set stays as
/// the service manager left it, which there is the same one capability.
pub(super) fn drop_most() -> Result<(), PrivilegeError> {
    let failed = |step| move |errno: Errno| PrivilegeError { step, source: errno.into() };
    set_no_new_privs(true).map_err(failed("no_new_privs"))?;
    clear_ambient_capability_set().map_err(failed("ambient set"))?;
    let kept = capabilities(None).map_err(failed("capget"))?.permitted & KEPT;
    let inheritable = CapabilitySet::empty();
    match set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable }) {
        // The kernel never refuses to drop (capset(2)): a filter did.
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(failed("capset")(errno)),
    }
}

/// Whether the calling thread has more than it needs.
pub(super) fn too_many_left() -> bool {
    capabilities(None).is_ok_and(|sets| !KEPT.contains(sets.effective | sets.permitted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_a_thread_with_no_more_than_it_needs() {
        // Capabilities belong to a thread, so the other tests keep theirs.
        let left = std::thread::spawn(|| {
            drop_most().unwrap();
            (too_many_left(), capabilities(None).unwrap().inheritable)
        });

        assert_eq!(left.join().unwrap(), (false, CapabilitySet::empty()));
    }
}
