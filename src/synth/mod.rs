//! Labelled traffic: captures whose truth is known because this code decided it.
//!
//! Fixtures and the benchmark need traffic that shows one behaviour, with everything around it that
//! makes it believable, and that is the same on every machine. So a scenario is a pure function of a
//! seed: packet time only, no clock, no floating-point library function (their last bit differs
//! between machines). Payloads are openings of protocols followed by filler; nothing here can
//! exploit or copy anything.
//!
//! From the bottom up: [`rng`] and [`pcap`] stand alone, [`packet`] makes frames, [`conversation`]
//! and [`exchange`] make what two hosts say to each other, [`timeline`] puts all of it in order,
//! [`scene`] is the little network in which the behaviours ([`office`], [`scans`], [`logins`], [`accounts`],
//! [`newcomers`], [`crowds`], [`quirks`]) play, and [`fixtures`] names the scenarios and writes them.
//! [`mixture`] is the benchmark's busy link.
//!
//! [`scenario`] is for larger houses: a file in TOML describes hosts, their habits and a worm, and
//! whole weeks stream by. [`families`] are the fixtures made so.

pub mod accounts;
pub mod conversation;
pub mod crowds;
pub mod exchange;
pub mod families;
pub mod fixtures;
pub mod logins;
pub mod mixture;
pub mod newcomers;
pub mod office;
pub mod packet;
pub mod payload;
pub mod pcap;
pub mod pcapng;
pub mod quirks;
pub mod rng;
pub mod scans;
pub mod scenario;
pub mod scene;
pub mod sink;
pub mod timeline;
pub mod truth;
