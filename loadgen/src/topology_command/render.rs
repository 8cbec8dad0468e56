//! `loadgen topology render`: one function per tool, from options to a written folder.

use std::path::Path;

use super::TopologyCommandError;
use super::certificates::{Named, certificates};
use super::load::{load, supercluster};
use super::opts::{
    AddressOpts, CloudInitOpts, ComposeOpts, FlyOpts, HelmOpts, OutOpts, PasswordOpts, PlacedOpts,
    RenderCommand,
};
use super::session;
use super::write::{secrets, seed, write};
use crate::stdout::print_or_warn;
use crate::topology::Topology;
use crate::topology::credentials::Credentials;
use crate::topology::render::addresses::{Addresses, PortsError};
use crate::topology::render::compose::{self, ComposeOptions};
use crate::topology::render::{Inputs, RenderedFile};
use crate::topology::render::{cloud_init, contexts, fly, folder, helm};

/// Renders a folder; returns what to print.
///
/// # Errors
/// See [`TopologyCommandError`].
pub(super) fn run(command: RenderCommand) -> Result<String, TopologyCommandError> {
    match command {
        RenderCommand::NatsServer(opts) => nats_server(&opts),
        RenderCommand::Compose(opts) => compose(&opts),
        RenderCommand::Helm(opts) => helm(&opts),
        RenderCommand::Fly(opts) => fly(*opts),
        RenderCommand::CloudInit(opts) => cloud_init(&opts),
        RenderCommand::Contexts(opts) => contexts(&opts),
    }
}

/// The addresses that the options say.
pub(super) fn addresses(topology: &Topology, opts: &AddressOpts) -> Result<Addresses, PortsError> {
    match &opts.hosts {
        Some(template) => Ok(Addresses::hosts(topology, template)),
        None => Addresses::local(topology, opts.base_port),
    }
}

/// A folder in the making.
struct Workshop<'a> {
    out: &'a OutOpts,
    seed: [u8; 32],
    credentials: Credentials,
    certificates: Option<Named>,
}

impl<'a> Workshop<'a> {
    fn open(
        topology: &Topology,
        out: &'a OutOpts,
        password: &PasswordOpts,
        hosts: Vec<String>,
    ) -> Result<Self, TopologyCommandError> {
        let seed = seed(&out.out)?;
        Ok(Self {
            out,
            seed,
            credentials: Credentials::new(seed, password.password.clone()),
            certificates: certificates(topology, &out.out, hosts)?,
        })
    }

    fn inputs<'b>(&'b self, topology: &'b Topology) -> Inputs<'b> {
        let certificates = self.certificates.as_ref().map(|named| &named.certificates);
        Inputs { topology, credentials: &self.credentials, certificates }
    }

    /// Writes the files; returns what to print about them.
    fn write(&self, mut files: Vec<RenderedFile>) -> Result<String, TopologyCommandError> {
        files.extend(self.certificates.as_ref().map(Named::file));
        write(&self.out.out, &files, &self.seed, self.out.force)?;
        Ok(secrets(&files))
    }

    fn folder(&self) -> std::path::Display<'_> {
        self.out.out.display()
    }
}

fn nats_server(opts: &PlacedOpts) -> Result<String, TopologyCommandError> {
    let topology = load(&opts.topology)?;
    let addresses = addresses(&topology, &opts.addresses)?;
    let workshop = Workshop::open(&topology, &opts.out, &opts.password, addresses.hosts_of_all())?;
    let files = folder::files(&workshop.inputs(&topology), &addresses)?;
    let secrets = workshop.write(files)?;
    let folder = workshop.folder();
    Ok(format!(
        "Wrote one folder per cluster into {folder}. {folder}/README.md says how to start the servers.\n{secrets}"
    ))
}

fn compose(opts: &ComposeOpts) -> Result<String, TopologyCommandError> {
    let topology = match &opts.topology {
        Some(name) => load(name)?,
        None => supercluster(opts.size, opts.password.password.is_some())?,
    };
    let options = ComposeOptions {
        domain: opts.domain.clone(),
        image: opts.image.clone(),
        image_config: opts.image_config.clone(),
        base_port: opts.port,
        bind: match opts.bind {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        },
        toxiproxy: opts.toxicluster,
        surveyor: opts.surveyor,
    };
    let addresses = compose::addresses(&topology, &options)?;
    let nats = opts.nats.as_deref().map(|at| session::node(&topology, &addresses, at)).transpose()?;
    let workshop = Workshop::open(&topology, &opts.out, &opts.password, addresses.hosts_of_all())?;
    let files = compose::files(&workshop.inputs(&topology), &options)?;
    let written = files.iter().map(|file| file.path.as_str());
    let written = written.filter(|path| *path == "docker-compose.yaml" || path.starts_with("configs/"));
    let written: String = written.map(|path| format!("...wrote {path}\n")).collect();
    let secrets = workshop.write(files)?;
    let text = format!("{}{written}\n{secrets}", compose::port_map(&topology, &options)?);
    match nats {
        None => Ok(text),
        Some(placed) => {
            print_or_warn(&format!("{text}\n"));
            session::shell(&topology, &workshop.credentials, &placed, &opts.out.out)
        }
    }
}

fn helm(opts: &HelmOpts) -> Result<String, TopologyCommandError> {
    let topology = load(&opts.topology)?;
    let addresses = helm::addresses(&topology, &opts.hosts);
    let hosts = helm::hosts(&topology, &addresses);
    let workshop = Workshop::open(&topology, &opts.out, &opts.password, hosts)?;
    let secrets = workshop.write(helm::files(&workshop.inputs(&topology), &addresses)?)?;
    let folder = workshop.folder();
    Ok(format!(
        "Wrote the values of one release per cluster into {folder}. {folder}/README.md says how to install them.\n{secrets}"
    ))
}

fn fly(opts: FlyOpts) -> Result<String, TopologyCommandError> {
    let FlyOpts { topology, out, password, dial, app, region, image } = opts;
    let topology = load(&topology)?;
    let app = app.unwrap_or_else(|| topology.name().to_owned());
    let options = fly::FlyOptions { app, dial: dial.into(), regions: region, image };
    let addresses = fly::addresses(&topology, &options);
    let workshop = Workshop::open(&topology, &out, &password, addresses.hosts_of_all())?;
    let secrets = workshop.write(fly::files(&workshop.inputs(&topology), &addresses, &options)?)?;
    let folder = workshop.folder();
    Ok(format!(
        "Wrote one app per cluster into {folder}. {folder}/README.md says how to deploy them.\n{secrets}"
    ))
}

fn cloud_init(opts: &CloudInitOpts) -> Result<String, TopologyCommandError> {
    let topology = load(&opts.topology)?;
    let options = cloud_init::CloudInitOptions {
        dial: opts.dial.into(),
        hosts: opts.hosts.clone(),
        cluster_host: opts.cluster_host.clone(),
        anycast_host: opts.anycast_host.clone(),
        nats_version: opts.nats_version.clone(),
    };
    let addresses = cloud_init::addresses(&topology, &options);
    let workshop = Workshop::open(&topology, &opts.out, &opts.password, addresses.hosts_of_all())?;
    let files = cloud_init::files(&workshop.inputs(&topology), &addresses, &options)?;
    let secrets = workshop.write(files)?;
    let folder = workshop.folder();
    Ok(format!(
        "Wrote the user data of one machine per server into {folder}. {folder}/README.md says how to use them.\n{secrets}"
    ))
}

fn contexts(opts: &PlacedOpts) -> Result<String, TopologyCommandError> {
    let topology = load(&opts.topology)?;
    let addresses = addresses(&topology, &opts.addresses)?;
    let workshop = Workshop::open(&topology, &opts.out, &opts.password, addresses.hosts_of_all())?;
    let folder = absolute(&opts.out.out)?;
    let files = contexts::files(&workshop.inputs(&topology), &addresses, &folder)?;
    let secrets = workshop.write(files)?;
    let line = "mkdir -p ~/.config/nats/context && cp -p";
    Ok(format!(
        "Copy the contexts to where the nats CLI looks for them:\n  {line} {folder}/*.json ~/.config/nats/context/\n{secrets}"
    ))
}

/// Contexts are read from anywhere, so they name files by absolute paths.
pub(super) fn absolute(folder: &Path) -> Result<String, TopologyCommandError> {
    let absolute = std::path::absolute(folder);
    let absolute =
        absolute.map_err(|error| TopologyCommandError::Folder { path: folder.to_owned(), error })?;
    Ok(absolute.display().to_string())
}
