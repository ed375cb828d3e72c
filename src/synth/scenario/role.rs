//! What a host is there for, and what follows from that unless its scenario says otherwise.

use serde::Deserialize;

use super::place::Stack;

/// What a host is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Somebody's desk: web, mail, files, printing, the directory.
    Workstation,
    /// A workstation from which servers are worked on.
    Developer,
    /// A workstation with a file-sharing client.
    FileSharer,
    /// A telephone.
    Phone,
    /// A camera, or another thing that talks to its cloud.
    Camera,
    /// A printer.
    Printer,
    /// Directory, tickets, and names where no resolver is.
    DomainController,
    /// Looks names up for everybody.
    Resolver,
    /// Holds files.
    FileServer,
    /// Takes and keeps mail.
    MailServer,
    /// Pages and programs of the house.
    WebServer,
    /// What web servers ask.
    DatabaseServer,
    /// Fetches everything at night.
    BackupServer,
    /// Asks everybody how it is.
    Monitor,
    /// Patches.
    UpdateServer,
    /// Configures servers over SSH.
    AutomationServer,
    /// Answers questions with a language model.
    InferenceServer,
    /// Lets people in who are at home.
    VpnGateway,
    /// Looks for weaknesses by order; its truth is `unknown`, since it does scan.
    VulnerabilityScanner,
    /// Any other server.
    Server,
}

/// The operating system, as far as worms and wires tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Windows.
    Windows,
    /// Linux.
    Linux,
    /// A thing.
    Embedded,
}

impl System {
    /// Its TCP/IP stack.
    pub const fn stack(self) -> Stack {
        match self {
            Self::Windows => Stack::Windows,
            Self::Linux => Stack::Linux,
            Self::Embedded => Stack::Embedded,
        }
    }
}

impl Role {
    /// The role's word in a scenario, which also begins the names of its hosts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Workstation => "workstation",
            Self::Developer => "developer",
            Self::FileSharer => "file-sharer",
            Self::Phone => "phone",
            Self::Camera => "camera",
            Self::Printer => "printer",
            Self::DomainController => "domain-controller",
            Self::Resolver => "resolver",
            Self::FileServer => "file-server",
            Self::MailServer => "mail-server",
            Self::WebServer => "web-server",
            Self::DatabaseServer => "database-server",
            Self::BackupServer => "backup-server",
            Self::Monitor => "monitor",
            Self::UpdateServer => "update-server",
            Self::AutomationServer => "automation-server",
            Self::InferenceServer => "inference-server",
            Self::VpnGateway => "vpn-gateway",
            Self::VulnerabilityScanner => "vulnerability-scanner",
            Self::Server => "server",
        }
    }

    /// The system that such a host usually has.
    pub const fn system(self) -> System {
        match self {
            Self::Workstation
            | Self::FileSharer
            | Self::DomainController
            | Self::FileServer
            | Self::BackupServer
            | Self::UpdateServer => System::Windows,
            Self::Phone | Self::Camera | Self::Printer => System::Embedded,
            _ => System::Linux,
        }
    }

    /// The TCP ports that are usually open.
    pub const fn services(self) -> &'static [u16] {
        match self {
            Self::Workstation | Self::FileSharer => &[135, 445, 3389],
            Self::Developer | Self::Monitor | Self::AutomationServer | Self::Server => &[22],
            Self::Phone => &[80],
            Self::Camera => &[23, 80, 554],
            Self::Printer => &[80, 515, 631, 9100],
            Self::DomainController => &[53, 88, 135, 389, 445, 3389],
            Self::Resolver => &[22, 53],
            Self::FileServer | Self::BackupServer => &[135, 445, 3389],
            Self::MailServer => &[22, 25, 143, 587, 993],
            Self::WebServer => &[22, 80, 443],
            Self::DatabaseServer => &[22, 5432],
            Self::UpdateServer => &[135, 445, 3389, 8530],
            Self::InferenceServer => &[22, 11_434],
            Self::VpnGateway => &[443],
            Self::VulnerabilityScanner => &[22],
        }
    }

    /// Whether somebody sits there, switches it on in the morning and off in the evening.
    pub const fn is_desk(self) -> bool {
        matches!(self, Self::Workstation | Self::Developer | Self::FileSharer)
    }

    /// Whether it serves others from a rack.
    pub const fn is_server(self) -> bool {
        !self.is_desk() && !matches!(self, Self::Phone | Self::Camera | Self::Printer)
    }
}
