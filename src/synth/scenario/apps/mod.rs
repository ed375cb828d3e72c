//! What ordinary hosts do, one kind of business a file, each begun by a habit.
//!
//! A habit belongs to one host and has random numbers of its own, so that what one host does more
//! of shifts nothing of what others do.

mod assistant;
mod desk;
mod directory;
mod house;
mod media;
mod peers;
mod racks;
mod things;
mod web;

use std::time::Duration;

use super::super::rng::Rng;
use super::chance::{fixed, wait};
use super::file::Rates;
use super::rhythm;
use super::role::Role;
use super::stage::Stage;
use super::world::{HostId, World};
use crate::time::Timestamp;

/// A kind of business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// Pages of the web.
    Web,
    /// Names that lead nowhere.
    Names,
    /// The mailbox.
    Mail,
    /// File shares.
    Files,
    /// Tickets and directory searches.
    Directory,
    /// Servers of the house.
    Intranet,
    /// Printing.
    Print,
    /// Telephone.
    Calls,
    /// Video.
    Meetings,
    /// A language model as a service.
    Assistant,
    /// Secure shell by hand.
    Ssh,
    /// A web server's database.
    Database,
    /// Multicast questions.
    Discovery,
    /// Clocks.
    Time,
    /// What programs tell their makers.
    Telemetry,
    /// A thing's cloud.
    Cloud,
    /// File sharing.
    Peers,
    /// A round of the monitor.
    Monitoring,
    /// Mail from outside.
    InboundMail,
    /// People at home.
    RemoteWork,
    /// Configuring servers.
    Automation,
    /// The morning: an address, a logon.
    Arrival,
    /// The night: everything is fetched.
    Backup,
    /// Patches, most of them on Tuesdays.
    Patches,
    /// Looking for weaknesses by order, on Sundays.
    Assessment,
}

/// When an app comes round.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Beat {
    /// Whenever people feel like it: as busy as the office is, if the host is on.
    People(f64),
    /// Whenever machines feel like it.
    Machine(f64),
    /// Regularly, so often an hour.
    Clock(f64),
    /// When its person arrives.
    Arrival,
    /// Each day at this second, more or less; on one day of the week, or on all.
    Daily(i64, Option<i64>),
}

/// One host's way of doing one thing.
#[derive(Debug)]
pub struct Habit {
    /// Its random numbers.
    pub rng: Rng,
    host: HostId,
    app: App,
    beat: Beat,
    /// How far a long errand is: the number of its next stop, 0 at home.
    stop: u32,
}

/// The habits of all hosts.
#[derive(Debug, Default)]
pub struct Habits(Vec<Option<Habit>>);

impl Habits {
    /// What everybody does in this world.
    pub fn new(world: &World) -> Self {
        let mut habits = Vec::new();
        for (index, host) in (0..).map(HostId).zip(&world.hosts) {
            for (app, beat) in beats(host.role, &world.background.rates) {
                let beat = scaled(beat, world.background.scale);
                if matches!(beat, Beat::People(rate) | Beat::Machine(rate) | Beat::Clock(rate) if rate <= 0.0)
                {
                    continue;
                }
                if world.background.scale <= 0.0 {
                    continue;
                }
                let rng = Rng::new(fixed(&[host.seed, app as u64, 61]));
                habits.push(Some(Habit { rng, host: index, app, beat, stop: 0 }));
            }
        }
        Self(habits)
    }

    /// How many there are.
    pub const fn count(&self) -> u32 {
        self.0.len() as u32
    }

    /// Takes one out, to let it act.
    pub fn take(&mut self, index: u32) -> Option<Habit> {
        self.0.get_mut(index as usize)?.take()
    }

    /// Puts it back.
    pub fn put(&mut self, index: u32, habit: Habit) {
        if let Some(room) = self.0.get_mut(index as usize) {
            *room = Some(habit);
        }
    }

    /// One of them.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut Habit> {
        self.0.get_mut(index as usize)?.as_mut()
    }
}

const fn scaled(beat: Beat, scale: f64) -> Beat {
    match beat {
        Beat::People(rate) => Beat::People(rate * scale),
        Beat::Machine(rate) => Beat::Machine(rate * scale),
        Beat::Clock(rate) => Beat::Clock(rate * scale),
        other => other,
    }
}

/// What a host of this role does, and how often an hour.
fn beats(role: Role, rates: &Rates) -> Vec<(App, Beat)> {
    use App::{
        Arrival, Assessment, Assistant, Automation, Backup, Calls, Cloud, Database, Directory,
        Discovery, Files, InboundMail, Intranet, Mail, Meetings, Monitoring, Names, Patches, Peers,
        Print, RemoteWork, Ssh, Telemetry, Time, Web,
    };
    use Beat::{Clock, Daily, Machine, People};
    let desk = || {
        vec![
            (Web, People(rates.web)),
            (Names, People(rates.names)),
            (Mail, People(rates.mail)),
            (Intranet, People(rates.intranet)),
            (Print, People(rates.print)),
            (Meetings, People(rates.meetings)),
            (Assistant, People(rates.assistant)),
            (Discovery, Machine(rates.discovery)),
            (Time, Machine(rates.time)),
            (Telemetry, Machine(rates.telemetry)),
            (Arrival, Beat::Arrival),
        ]
    };
    let windows = || {
        vec![
            (Files, People(rates.files)),
            (Directory, Machine(rates.directory)),
            (Patches, Daily(11 * 3600, None)),
        ]
    };
    let mut beats = match role {
        Role::Workstation => [desk(), windows()].concat(),
        Role::FileSharer => [desk(), windows(), vec![(Peers, Machine(rates.peers))]].concat(),
        Role::Developer => [desk(), vec![(Ssh, People(rates.ssh))]].concat(),
        Role::Phone => vec![(Calls, People(rates.calls)), (Time, Machine(rates.time))],
        Role::Camera => vec![(Cloud, Machine(rates.cloud)), (Time, Machine(rates.time))],
        Role::Printer => vec![(Discovery, Machine(rates.discovery))],
        Role::WebServer => vec![(Database, People(rates.database))],
        Role::MailServer => vec![(InboundMail, People(rates.inbound_mail))],
        Role::BackupServer => vec![(Backup, Daily(3600, None))],
        Role::Monitor => vec![(Monitoring, Clock(rates.monitoring))],
        Role::AutomationServer => vec![(Automation, People(rates.automation))],
        Role::VpnGateway => vec![(RemoteWork, People(rates.remote_work))],
        Role::VulnerabilityScanner => vec![(Assessment, Daily(2 * 3600, Some(6)))],
        Role::DomainController
        | Role::Resolver
        | Role::FileServer
        | Role::DatabaseServer
        | Role::UpdateServer
        | Role::InferenceServer
        | Role::Server => Vec::new(),
    };
    if role.is_server() {
        beats.extend([(Time, Machine(rates.time)), (Telemetry, Machine(rates.telemetry / 4.0))]);
    }
    beats
}

impl Habit {
    /// When it comes round next after `now`; `None` if never.
    pub fn next(&mut self, world: &World, now: Timestamp) -> Option<Timestamp> {
        if self.stop > 0 {
            return Some(now + self.rng.around(self.pause()));
        }
        let hourly = |rate: f64| Duration::from_nanos((3.6e12 / rate) as u64);
        match self.beat {
            Beat::People(rate) | Beat::Machine(rate) => {
                Some(now + wait(&mut self.rng, hourly(rate)))
            }
            Beat::Clock(rate) => {
                let step = hourly(rate);
                let late = if now == world.start { self.rng.around(step) / 2 } else { step };
                Some(now + late)
            }
            Beat::Arrival => {
                let host = world.host(self.host);
                let today = rhythm::day(now);
                (today..today + 15)
                    .filter_map(|day| rhythm::presence(host.seed, day))
                    .map(|(from, _)| from)
                    .find(|from| *from > now)
            }
            Beat::Daily(second, weekday) => {
                let today = rhythm::day(now);
                let seed = world.host(self.host).seed;
                (today..today + 9)
                    .filter(|day| weekday.is_none_or(|wanted| wanted == rhythm::weekday(*day)))
                    .map(|day| {
                        // Not everybody at once: within three hours.
                        let late = fixed(&[seed, day as u64, 62]) % 10_800;
                        let second = u64::try_from(second).unwrap_or(0) + late;
                        rhythm::midnight(day) + Duration::from_secs(second)
                    })
                    .find(|at| *at > now)
            }
        }
    }

    /// From one stop of a long errand to the next.
    const fn pause(&self) -> Duration {
        match self.app {
            App::Backup => Duration::from_secs(40),
            App::Assessment => Duration::from_millis(120),
            App::Automation => Duration::from_secs(2),
            _ => Duration::from_millis(400),
        }
    }

    /// Lets it happen, if the host is on and, where people do it, as often as they are busy.
    pub fn act(&mut self, stage: &mut Stage) {
        let host = self.host;
        if !stage.world.is_up(host, stage.now) {
            self.stop = 0;
            return;
        }
        if matches!(self.beat, Beat::People(_))
            && self.stop == 0
            && stage.rng.below(1000) >= rhythm::office(stage.now)
        {
            return;
        }
        match self.app {
            App::Web => web::page(stage, host),
            App::Names => web::nothing(stage, host),
            App::Mail => desk::mail(stage, host),
            App::Files => desk::files(stage, host),
            App::Directory => directory::renew(stage, host),
            App::Intranet => desk::intranet(stage, host),
            App::Print => desk::print(stage, host),
            App::Calls => media::telephone(stage, host),
            App::Meetings => media::meeting(stage, host),
            App::Assistant => assistant::question(stage, host),
            App::Ssh => house::shell(stage, host),
            App::Database => house::query(stage, host),
            App::Discovery => things::discover(stage, host),
            App::Time => things::set_clock(stage, host),
            App::Telemetry => things::report(stage, host),
            App::Cloud => things::cloud(stage, host),
            App::Peers => peers::exchange(stage, host),
            App::Monitoring => self.stop = racks::monitor(stage, host, self.stop),
            App::InboundMail => house::inbound_mail(stage, host),
            App::RemoteWork => house::remote(stage, host),
            App::Automation => self.stop = racks::configure(stage, host, self.stop),
            App::Arrival => directory::arrive(stage, host),
            App::Backup => self.stop = racks::back_up(stage, host, self.stop),
            App::Patches => things::patch(stage, host),
            App::Assessment => self.stop = racks::assess(stage, host, self.stop),
        }
    }
}

/// `bytes` in this world's measure.
fn volume(stage: &Stage, bytes: u64) -> usize {
    ((bytes as f64 * stage.world.background.volume) as usize).max(1)
}
