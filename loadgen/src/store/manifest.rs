//! `manifest.json`: the run of a bundle, the machine that it ran on, and the files of the bundle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run_id::RunId;
use crate::digest;
use crate::outcome::{NatsServerRow, Report, Verdict};

/// The version of the bundle's format. A change that breaks readers raises it.
pub const VERSION: u32 = 1;

/// The name of the file.
pub(super) const FILE: &str = "manifest.json";

/// Description of a run: its name, its machine, its versions and its files.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Manifest {
    /// The version of the bundle's format.
    pub version: u32,
    /// The name of the run.
    pub run: RunId,
    /// Name of the scenario.
    pub scenario: String,
    /// Title of the scenario.
    pub title: String,
    /// SHA-256 of `scenario.toml` in the bundle, in which `***` stands for passwords and tokens.
    pub scenario_sha256: String,
    /// Options that changed the scenario, such as `--set clients.geo.per_region=12`.
    pub changes: Vec<String>,
    /// The outcome.
    pub verdict: Verdict,
    /// Seed of the random choices.
    pub seed: u64,
    /// Start of the run, RFC 3339.
    pub started_at: String,
    /// Duration of the run, in seconds.
    pub duration_s: f64,
    /// Version of loadgen.
    pub loadgen: String,
    /// Versions of nats-server.
    pub nats_servers: Vec<NatsServerRow>,
    /// The emulation of the WAN.
    pub wan: String,
    /// The machine.
    pub host: Host,
    /// All other files of the bundle, by name.
    pub files: Vec<FileRow>,
}

/// The machine that a scenario was played on.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Host {
    /// Its name in the network.
    pub name: String,
    /// Operating system and architecture.
    pub os: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Number of processors.
    pub cores: usize,
}

/// A file of a bundle.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FileRow {
    /// Its path in the bundle.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// Facts about a run that its report does not have.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The name of the run.
    pub run: RunId,
    /// Text of the scenario, without secrets.
    pub scenario: String,
    /// Options that changed the scenario, without secrets.
    pub changes: Vec<String>,
    /// The machine.
    pub host: Host,
}

impl Host {
    /// This machine.
    pub fn this(cores: usize) -> Self {
        let system = nix::sys::utsname::uname().ok();
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map_or_else(|| "unknown".to_owned(), |part| part.to_string_lossy().into_owned())
        };
        Self {
            name: text(system.as_ref().map(|system| system.nodename())),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: text(system.as_ref().map(|system| system.release())),
            cores,
        }
    }
}

/// Makes the manifest of a run. `files` are all other files of the bundle.
pub fn manifest(report: &Report, origin: &Origin, mut files: Vec<FileRow>) -> Manifest {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Manifest {
        version: VERSION,
        run: origin.run.clone(),
        scenario: report.scenario.clone(),
        title: report.title.clone(),
        scenario_sha256: digest::of(origin.scenario.as_bytes()),
        changes: origin.changes.clone(),
        verdict: report.verdict,
        seed: report.seed,
        started_at: report.started_at.clone(),
        duration_s: report.wall_s,
        loadgen: report.environment.loadgen.clone(),
        nats_servers: report.environment.nats_servers.clone(),
        wan: report.environment.wan.clone(),
        host: origin.host.clone(),
        files,
    }
}

impl Manifest {
    /// Bytes of all files but the manifest itself.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}
