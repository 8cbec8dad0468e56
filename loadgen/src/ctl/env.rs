//! The environment variables with which a user logs in to the super-cluster that is up.

use clap::Args;

use super::client::CtlError;
use crate::topology::render::env::{self, Variable};
use crate::up::access::Access;
use crate::up::world::World;

/// Options of `loadgen ctl env`.
#[derive(Args, Clone, Debug)]
pub struct EnvOpts {
    /// Log in as this user [default: the first user of the first account that is not the system account]
    #[arg(value_name = "USER")]
    pub user: Option<String>,

    /// Connect as a client in this region, nearest server first [default: the first region]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

/// Returns the lines that a shell evaluates, or one JSON object.
///
/// # Errors
/// There is no such user, or no such region.
pub(super) fn text(
    opts: &EnvOpts,
    is_json: bool,
    world: &World,
    access: &Access,
) -> Result<String, CtlError> {
    let all = variables(opts, world, access)?;
    if !is_json {
        return Ok(env::exports(&all, access.tls_first).trim_end().to_owned());
    }
    let object: serde_json::Map<_, _> =
        all.into_iter().map(|variable| (variable.name, variable.value.expose().into())).collect();
    Ok(serde_json::to_string_pretty(&object)?)
}

fn variables(opts: &EnvOpts, world: &World, access: &Access) -> Result<Vec<Variable>, CtlError> {
    let named = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let Some(region) = world.regions.iter().find(|region| named(&opts.region, &region.name)) else {
        return Err(CtlError::NoRegion {
            region: opts.region.clone().unwrap_or_default(),
            regions: world.regions.iter().map(|region| region.name.clone()).collect(),
        });
    };
    let Some(login) = access.logins.iter().find(|login| named(&opts.user, &login.user)) else {
        return Err(CtlError::NoUser {
            user: opts.user.clone().unwrap_or_default(),
            users: access.logins.iter().map(|login| login.user.clone()).collect(),
        });
    };
    // The `nats` CLI knows no regions: it takes the URLs alone.
    let urls = region.tcp_urls.iter().map(|url| url.split_once('=').map_or(&**url, |(_region, url)| url));
    let urls = urls.collect::<Vec<_>>().join(",");
    Ok([Variable::new("NATS_URL", &urls)].into_iter().chain(login.variables.iter().cloned()).collect())
}
