//! Options of `loadgen dns`. Doc comments are the help text.

use clap::Args;
use nats_geo::dns::{Dns, Resolver};

/// Options of `loadgen dns`.
#[derive(Args, Clone, Debug)]
pub struct DnsOpts {
    /// Look up this name of NATS servers, such as `nats.example.net` or `wss://nats.example.net`
    #[arg(value_name = "NAME", value_parser = Dns::new)]
    pub name: Dns,

    /// Query this resolver: `system`, `google`, `tls://cloudflare`, `https://quad9`, `9.9.9.9`; repeatable
    #[arg(long, default_values = ["system", "google", "https://cloudflare"], value_name = "RESOLVER")]
    pub resolver: Vec<Resolver>,

    /// Query each resolver this many times
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    pub times: u16,
}
