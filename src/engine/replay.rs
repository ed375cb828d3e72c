//! Captures through the pipeline, and what is left of them as a summary.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::{self, EngineError, Progress, Replay};
use crate::config::{Config, NetworkConfig};
use crate::daemon;
use crate::decode::Skip;
use crate::event::Event;
use crate::incident::{Alert, HostReport, InputSummary, Summary, Trouble};
use crate::inventory::Role;
use crate::pipeline::{self, Analysis, IntakeStats, Observer, Options, Outcome};
use crate::propagation::Propagation;
use crate::score::HostScore;
use crate::sink::events::{EventWriter, EventsError};
use crate::source::{CaptureSet, Frame, InputReport, Next, Source};

use super::LiveEngine;

/// Frames between two reports of progress.
const REPORT_EVERY: u64 = 10_000;

/// The engine behind the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayEngine;

impl cli::Engine for ReplayEngine {
    fn replay(&self, config: &Config, request: &Replay<'_>) -> Result<Summary, EngineError> {
        #[expect(clippy::disallowed_methods, reason = "an edge: how long the analysis took")]
        let start = Instant::now();
        let mut source = Reporting {
            captures: CaptureSet::open(request.inputs)?,
            packets: 0,
            report_at: REPORT_EVERY,
            report: request.progress,
        };
        let mut recorder = Recorder::new(config, request)?;
        let options = Options { threads: request.threads, prompt: false };
        let outcome = pipeline::run(config, &mut source, options, &mut recorder, &mut || None);
        recorder.close()?;
        Ok(summarise(&outcome, start.elapsed()))
    }

    fn run(&self, config: Config, path: &Path) -> Result<(), EngineError> {
        // The daemon reads the file itself, again at each reload.
        drop(config);
        Ok(daemon::run::<LiveEngine>(path)?)
    }
}

/// Captures that report how far they are.
struct Reporting<'a> {
    captures: CaptureSet,
    packets: u64,
    /// Frames at which to report next.
    report_at: u64,
    report: &'a (dyn Fn(Progress) + Sync),
}

impl Source for Reporting<'_> {
    fn next<'a>(&'a mut self, most: usize, frames: &mut Vec<Frame<'a>>) -> Next {
        let before = self.packets;
        if before >= self.report_at {
            self.report_at = before + REPORT_EVERY;
            let bytes = self.captures.progress().map_or(0, |(read, _)| read);
            (self.report)(Progress { packets: before, bytes });
        }
        let next = self.captures.next(most, frames);
        self.packets = before + frames.len() as u64;
        next
    }

    fn inputs(&self) -> Vec<InputReport> {
        self.captures.inputs()
    }
}

/// Writes the events and passes them on, if anybody wants them; the first error ends the writing.
struct Recorder<'a> {
    listener: Option<&'a (dyn Fn(&Event) + Sync)>,
    network: NetworkConfig,
    writer: Option<EventWriter>,
    error: Option<EventsError>,
}

impl<'a> Recorder<'a> {
    fn new(config: &Config, request: &Replay<'a>) -> Result<Self, EventsError> {
        let writer = request.events.map(EventWriter::create).transpose()?;
        let network = config.network.clone();
        Ok(Self { listener: request.listener, network, writer, error: None })
    }

    fn close(mut self) -> Result<(), EventsError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.writer.as_mut().map_or(Ok(()), EventWriter::flush)
    }
}

impl Observer for Recorder<'_> {
    fn on_event(&mut self, event: &Event) {
        if let Some(listener) = self.listener {
            listener(event);
        }
        if let (Some(writer), None) = (&mut self.writer, &self.error) {
            self.error = writer.write(event, &|addr| self.network.is_internal(addr)).err();
        }
    }
}

fn summarise(outcome: &Outcome, elapsed: Duration) -> Summary {
    let Outcome { analysis, intake, .. } = outcome;
    let inventory = analysis.inventory();
    let account = analysis.account();
    Summary {
        inputs: inputs(intake),
        hosts: analysis.scores().hosts().into_iter().map(|host| report(analysis, host)).collect(),
        infections: account.infections.clone(),
        incidents: account.incidents.clone(),
        traffic: inventory.traffic().listed(),
        traffic_forgotten: inventory.traffic().evicted(),
        alerts: alerts(analysis, intake),
        allowed: analysis.allowlist().reports(),
        notices: notices(outcome),
        packets: intake.packets,
        connections: analysis.counts().connections(),
        events: analysis.counts().all_events(),
        hosts_seen: inventory.len() as u64,
        host_time: inventory.host_time(),
        elapsed,
    }
}

/// What a person should know of the input, beside damage, which stands with the file.
fn notices(outcome: &Outcome) -> Vec<String> {
    let copies = outcome.intake.duplicates;
    let copied = (copies > 0).then(|| {
        format!("{copies} packets are copies of others (two mirror ports?) and were counted once")
    });
    let forgotten = outcome.analysis.propagation().map_or(0, Propagation::evicted);
    let forgotten = (forgotten > 0).then(|| {
        format!(
            "{forgotten} hosts and manners were forgotten for want of memory: who infected whom may \
             lack them (detect.\"propagation.turn\".budget)"
        )
    });
    let one_way = outcome.analysis.inventory().visibility().warning();
    one_way.into_iter().chain(copied).chain(forgotten).collect()
}

/// The alerts about hosts and incidents, and those about what the captures do not show.
fn alerts(analysis: &Analysis, intake: &IntakeStats) -> Vec<Alert> {
    let sensor = analysis.alerts().sensor();
    let end = intake.last_packet.unwrap_or_default();
    let mut alerts = analysis.alerts().alerts();
    alerts.extend(analysis.incidents().alerts());
    if let Some(found) = analysis.inventory().visibility().warning() {
        alerts.push(Trouble::OneWay.alert(sensor, end, &found));
    }
    for input in &intake.inputs {
        if let Some(damage) = &input.damage {
            let found = format!("{} is damaged: {damage}", input.name);
            let at = input.last_ts.unwrap_or(end);
            alerts.push(Trouble::Damage(input.name.clone()).alert(sensor, at, &found));
        }
    }
    alerts.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
    alerts
}

fn inputs(intake: &IntakeStats) -> Vec<InputSummary> {
    let with_errors = |(index, input): (usize, &InputReport)| {
        let counts = intake.skipped.get(index);
        let mut decode_errors = BTreeMap::new();
        for (skip, count) in Skip::ALL.iter().zip(counts.into_iter().flatten()) {
            if *count > 0 {
                decode_errors.insert(skip.as_str(), *count);
            }
        }
        InputSummary { report: input.clone(), decode_errors }
    };
    intake.inputs.iter().enumerate().map(with_errors).collect()
}

fn report(analysis: &Analysis, score: HostScore) -> HostReport {
    let host = score.host;
    let known = analysis.inventory().host(host);
    HostReport {
        internal: analysis.inventory().is_internal(host),
        first_seen: known.map_or(score.first_evidence, |known| known.first_seen),
        last_seen: known.map_or(score.last_evidence, |known| known.last_seen),
        roles: analysis.inventory().roles(host).into_iter().map(Role::as_str).collect(),
        connections: analysis.onsets().opened(host),
        connections_to_alert: analysis.onsets().until_alert(host),
        hidden: analysis.allowlist().hidden_about(host),
        score,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Engine;
    use crate::incident::AlertKind;

    #[test]
    fn a_capture_that_is_cut_off_is_an_alert_about_no_host() {
        let packed = include_bytes!("../../fixtures/scan-horizontal/capture.pcap.zst");
        let whole = zstd::decode_all(packed.as_slice()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.pcap");
        std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();
        let inputs = [path];
        let request = Replay {
            inputs: &inputs,
            threads: 1,
            events: None,
            progress: &|_: Progress| (),
            listener: None,
        };

        let summary = ReplayEngine.replay(&Config::default(), &request).unwrap();

        let about_sensor: Vec<_> =
            summary.alerts.iter().filter(|alert| alert.kind == AlertKind::Sensor).collect();
        assert_eq!(about_sensor.len(), 1);
        assert_eq!(about_sensor[0].host, None);
        assert!(about_sensor[0].summary.contains("cut.pcap is damaged"));
    }
}
