//! The words of the command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ipnet::IpNet;

use crate::eval::baseline::Baseline;
use crate::report::Format;
use crate::score::Verdict;

/// A passive sensor that sees network worms by what no worm can avoid.
///
/// It never sends a packet and never blocks. Exit status: 0 done, 1 a threshold that you set was
/// reached, 2 wrong use or unreadable input.
#[derive(Debug, Parser)]
#[command(name = "wormwatch", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Analyse capture files: who attacks, whom, how, and how sure that is.
    Replay(ReplayArgs),
    /// Watch the network as a daemon.
    Run(RunArgs),
    /// Take a host's score apart, so that the sum can be redone on paper.
    Explain(ExplainArgs),
    /// Say what to cut so that an incident reaches nothing clean, and what that costs; it only
    /// prints.
    Contain(ContainArgs),
    /// Measure detection against captures with ground truth (`NAME.truth.toml`) beside them.
    Eval(EvalArgs),
    /// Write a labelled capture of a network that a scenario file describes; nothing is ever sent.
    Synth(SynthArgs),
    /// Fit the score's constants on captures with ground truth, and say what that is worth.
    Calibrate(CalibrateArgs),
    /// List, check or test Sigma rules.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Check or show a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell.
    #[command(hide = true)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder, which must exist.
        folder: PathBuf,
    },
}

/// What every analysis can be told.
#[derive(Debug, Args)]
pub(super) struct Tuning {
    /// Configuration file; without it every setting has its default.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A network that is yours (repeat for more); instead of those of the configuration.
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub(super) home_net: Vec<IpNet>,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Capture files, folders of them, or `-` for standard input; several are one timeline.
    #[arg(required = true, value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// Write one JSON document on standard output, and nothing else.
    #[arg(long)]
    pub(super) json: bool,
    /// Write the alerts to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub(super) alerts: Option<PathBuf>,
    /// Write the events into this folder as JSON lines, a file a kind, in Zeek's names.
    #[arg(long, value_name = "DIR")]
    pub(super) events: Option<PathBuf>,
    /// Write a page with pictures into this file: who infected whom over time, and each score explained.
    /// It is one file of HTML that loads nothing.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Write who infected whom as a graph on standard output, and nothing else.
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    pub(super) graph: Option<GraphFormat>,
    /// Threads to use; the result does not depend on it.
    #[arg(long, value_name = "N", default_value_t = cores(), value_parser = positive)]
    pub(super) threads: usize,
    /// Exit with status 1 if any host is at least this.
    #[arg(long, value_name = "VERDICT")]
    pub(super) fail_on: Option<FailOn>,
    #[command(flatten)]
    pub(super) tuning: Tuning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// A score of 50 or more.
    Suspicious,
    /// A score of 90 or more.
    Malicious,
}

impl From<FailOn> for Verdict {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Suspicious => Self::Suspicious,
            FailOn::Malicious => Self::Malicious,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// For wikis and issue trackers.
    Mermaid,
    /// Nodes and edges, as NetworkX and D3 read them.
    Json,
}

impl From<GraphFormat> for Format {
    fn from(format: GraphFormat) -> Self {
        match format {
            GraphFormat::Dot => Self::Dot,
            GraphFormat::Mermaid => Self::Mermaid,
            GraphFormat::Json => Self::Json,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/wormwatch/wormwatch.toml")]
    pub(super) config: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The host's address.
    pub(super) host: IpAddr,
    /// Capture files, folders of them, or `-` for standard input.
    #[arg(value_name = "INPUT", required_unless_present = "api")]
    pub(super) inputs: Vec<PathBuf>,
    /// Ask a running daemon, e.g. http://127.0.0.1:9477.
    #[arg(long, value_name = "URL", conflicts_with = "inputs")]
    pub(super) api: Option<String>,
    /// Write JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) tuning: Tuning,
}

#[derive(Debug, Args)]
pub(super) struct ContainArgs {
    /// Capture files, folders of them, or `-` for standard input; several are one timeline.
    #[arg(required = true, value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// Only this incident.
    #[arg(long, value_name = "ID")]
    pub(super) incident: Option<String>,
    /// How to write it.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: ContainFormat,
    #[command(flatten)]
    pub(super) tuning: Tuning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ContainFormat {
    /// A table to read.
    Table,
    /// A ruleset for `nft -f`.
    Nftables,
    /// One JSON document.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// Folders with captures and their truth; several are one evaluation.
    #[arg(required = true, value_name = "DIR")]
    pub(super) folders: Vec<PathBuf>,
    /// Write one JSON document on standard output, and nothing else.
    #[arg(long, conflicts_with = "markdown")]
    pub(super) json: bool,
    /// Write Markdown on standard output.
    #[arg(long)]
    pub(super) markdown: bool,
    /// Write a page with plots into this file as well.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// An earlier result (`--json`): say what got better and what worse.
    #[arg(long, value_name = "FILE")]
    pub(super) compare: Option<PathBuf>,
    /// Show a published detector beside wormwatch (repeat for more, or separate by commas).
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = Baseline::ALL.map(Baseline::as_str))]
    baseline: Vec<String>,
    /// Only captures whose label begins so (repeat for more).
    #[arg(long, value_name = "LABEL")]
    pub(super) label: Vec<String>,
    /// Captures analysed at a time.
    #[arg(long, value_name = "N", default_value_t = cores(), value_parser = positive)]
    pub(super) jobs: usize,
    /// Exit with status 1 if fewer of the malicious hosts are at least suspicious, 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) min_recall: Option<f64>,
    /// Exit with status 1 if fewer of the malicious hosts are called malicious, 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) min_recall_malicious: Option<f64>,
    /// Exit with status 1 if more of the benign captures have a suspicious host, 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) max_benign_suspicious: Option<f64>,
    /// Exit with status 1 if more of the benign captures have a malicious host, 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) max_benign_malicious: Option<f64>,
    #[command(flatten)]
    pub(super) tuning: Tuning,
}

#[derive(Debug, Args)]
pub(super) struct SynthArgs {
    /// The scenario, a file in TOML.
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: PathBuf,
    /// The capture to write: .pcap or .pcapng, packed if it ends in .zst; its truth goes beside it.
    /// `-` is pcap on standard output, without truth.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Decides everything random, instead of the scenario's own seed.
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// Folders with captures and their truth, of at least two origins.
    #[arg(required = true, value_name = "DIR")]
    pub(super) folders: Vec<PathBuf>,
    /// Write the fitted constants into this file, a configuration that `-c` takes.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write one JSON document on standard output, and nothing else.
    #[arg(long)]
    pub(super) json: bool,
    /// Captures analysed at a time.
    #[arg(long, value_name = "N", default_value_t = cores(), value_parser = positive)]
    pub(super) jobs: usize,
    #[command(flatten)]
    pub(super) tuning: Tuning,
}

impl EvalArgs {
    /// The baselines that are asked for, each once.
    pub(super) fn baselines(&self) -> Vec<Baseline> {
        let mut baselines: Vec<_> =
            self.baseline.iter().filter_map(|name| Baseline::named(name)).collect();
        baselines.sort_unstable();
        baselines.dedup();
        baselines
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say what is wrong with a configuration file, and where.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print the configuration in effect; without a file the commented defaults.
    Show {
        /// The file.
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Show the rules: what they look for, and what a match is worth.
    List(RuleListArgs),
    /// Say what is wrong with rules, and where, and which of them can never match.
    Check(RuleCheckArgs),
    /// Run the cases beside rules (`NAME.test.yml` beside `NAME.yml`); exit with status 1 if one
    /// fails.
    Test(RuleTestArgs),
}

#[derive(Debug, Args)]
pub(super) struct RuleListArgs {
    /// Files or folders of rules; without any, those of the configuration.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Configuration file; without it the shipped rules.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Write JSON, one rule a line.
    #[arg(long, conflicts_with = "markdown")]
    pub(super) json: bool,
    /// Write a table in Markdown.
    #[arg(long)]
    pub(super) markdown: bool,
}

#[derive(Debug, Args)]
pub(super) struct RuleCheckArgs {
    /// Files or folders of rules; without any, those of the configuration.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Configuration file; without it the shipped rules.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RuleTestArgs {
    /// A file or folder of rules.
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,
    /// The folder of the captures that cases name; without it such cases are left out.
    #[arg(long, value_name = "DIR")]
    pub(super) captures: Option<PathBuf>,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("not a number".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("not between 0 and 1".to_owned()) }
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "not a network like 10.0.0.0/8".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn explain_asks_either_captures_or_a_daemon() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' ')).is_ok();

        assert!(parse("wormwatch explain 10.0.0.5 a.pcap b.pcap"));
        assert!(parse("wormwatch explain 10.0.0.5 --api http://127.0.0.1:9477"));
        assert!(!parse("wormwatch explain 10.0.0.5"));
        assert!(!parse("wormwatch explain 10.0.0.5 a.pcap --api http://127.0.0.1:9477"));
        assert!(!parse("wormwatch explain host a.pcap"));
    }

    #[test]
    fn baselines_come_one_by_one_or_as_a_list() {
        let words = "wormwatch eval d --baseline slips,trw --baseline slips";
        let cli = Cli::try_parse_from(words.split(' ')).unwrap();

        let Command::Eval(args) = cli.command else { panic!("it is eval") };
        assert_eq!(args.baselines(), [Baseline::Trw, Baseline::Slips]);
    }

    #[test]
    fn nonsense_is_wrong_use() {
        for words in [
            "replay",
            "replay a --threads 0",
            "replay a --home-net 10.0.0.0/33",
            "replay a --fail-on benign",
            "replay a --graph svg",
            "replay a --graph dot --json",
            "contain",
            "contain a --format iptables",
            "eval",
            "eval d --min-recall 95",
            "eval d --baseline snort",
            "eval d --json --markdown",
        ] {
            let error = Cli::try_parse_from(["wormwatch"].into_iter().chain(words.split(' ')));
            assert_eq!(error.unwrap_err().exit_code(), 2, "{words}");
        }
    }
}
