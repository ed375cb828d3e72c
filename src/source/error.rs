//! What can go wrong before the first frame, in words that say what to do.

use std::io;
use std::path::PathBuf;

/// Why a source could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system would not let us read it.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// What was to be read; `-` is standard input.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It can be read but holds something else.
    #[error("{} is not a capture file but {what}; {advice}", path.display())]
    NotACapture {
        /// What was to be read.
        path: PathBuf,
        /// What it seems to be.
        what: String,
        /// What the person can do about it.
        advice: &'static str,
    },
    /// A directory without a single capture file in it or below it.
    #[error("no capture file in {} or below it; wormwatch reads pcap and pcapng, also packed by gzip, zstd, xz or bzip2", .0.display())]
    NothingInside(PathBuf),
    /// Standard input was named twice.
    #[error("standard input (-) can be read only once; name it only once")]
    StdinTwice,
    /// No input was named.
    #[error("no input was named; give capture files, directories, or - for standard input")]
    NoInput,
    /// More inputs than [`Frame::input`](super::Frame::input) can number.
    #[error("{0} capture files are more than one run can take (65535); replay them in parts")]
    TooMany(usize),
    /// Live capture was asked for without an interface.
    #[error("no interface to capture on was named; set `interfaces`")]
    NoInterface,
    /// Live capture needs a privilege that this process lacks.
    #[error(
        "no permission to capture on {interface} ({reason}); capturing needs CAP_NET_RAW: run as root, under the systemd unit, or after `setcap cap_net_raw+ep` on the program"
    )]
    Forbidden {
        /// The interface.
        interface: String,
        /// What libpcap said.
        reason: String,
    },
    /// There is no such interface.
    #[error("there is no interface {interface} to capture on; there are: {existing}")]
    NoSuchInterface {
        /// The name that was asked for.
        interface: String,
        /// The names that exist, separated by commas.
        existing: String,
    },
    /// The capture filter is not a valid BPF expression.
    #[error(
        "the capture filter `{filter}` is not valid: {reason} (see pcap-filter(7) for the syntax)"
    )]
    BadFilter {
        /// The filter as configured.
        filter: String,
        /// What libpcap said.
        reason: String,
    },
    /// Live capture failed for another reason.
    #[error("cannot capture on {interface}: {reason}")]
    Capture {
        /// The interface.
        interface: String,
        /// What libpcap or the operating system said.
        reason: String,
    },
}
