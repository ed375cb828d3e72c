//! What systemd is told (sd_notify(3)). Without systemd every call does nothing.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

fn tell(states: &[NotifyState<'_>]) {
    if let Err(trouble) = sd_notify::notify(states) {
        warn!(%trouble, "cannot tell systemd");
    }
}

/// Packets come in.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The packet loop turned since the last time.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The configuration is read anew; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(moment) => tell(&[NotifyState::Reloading, moment]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The queues are emptied.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("emptying the queues")]);
}

/// How often systemd wants to hear from the packet loop, if it does.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}
