//! Options of `loadgen bench`. Doc comments are the help text.

use clap::{Args, Subcommand, ValueEnum};

use crate::look::opts::ConnectOpts;
use crate::topology::ByteSize;

/// The commands of `loadgen bench`.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Publish messages as fast as the server accepts them
    Pub(BenchOpts),
    /// Receive messages; each client receives all of them. Start `bench sub` before `bench pub`
    Sub(BenchOpts),
    /// Answer as many requests as `--msgs`; start `bench serve` before `bench request`
    Serve(BenchOpts),
    /// Send requests; each client waits for the answer before its next request
    Request(BenchOpts),
    /// Publish to a stream; up to `--batch` publishes wait for their acknowledgements at a time
    JsPub(JetStreamOpts),
    /// Consume a stream with one durable pull consumer, and acknowledge each message
    JsConsume(JetStreamOpts),
    /// Put values into a key-value bucket; each client waits for one put before the next
    KvPut(JetStreamOpts),
    /// Get values from a key-value bucket; each client waits for one get before the next
    KvGet(JetStreamOpts),
}

/// Options of all commands of `loadgen bench`.
#[derive(Args, Clone, Debug)]
pub struct BenchOpts {
    /// The server.
    #[command(flatten)]
    pub connect: ConnectOpts,

    /// Use this subject
    #[arg(long, default_value = "loadgen.bench", value_name = "SUBJECT")]
    pub subject: String,

    /// Connect this many clients, which share the messages (`bench sub`: each client receives all)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub clients: u32,

    /// Send or receive this many messages
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000), value_name = "N")]
    pub msgs: u64,

    /// Send messages of this size, such as `16B`, `1KB` or `128KB`
    #[arg(long, default_value = "128B", value_name = "SIZE")]
    pub size: ByteSize,

    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of the commands that use a stream or a bucket.
#[derive(Args, Clone, Debug)]
pub struct JetStreamOpts {
    /// The options of all commands.
    #[command(flatten)]
    pub bench: BenchOpts,

    /// Use this stream or bucket; the command creates it if it does not exist
    #[arg(long, default_value = "LOADGEN_BENCH", value_name = "NAME")]
    pub name: String,

    /// Create the stream or bucket with this storage
    #[arg(long, value_enum, default_value_t = StorageOpt::Memory)]
    pub storage: StorageOpt,

    /// Create the stream or bucket with this many replicas
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5), value_name = "N")]
    pub replicas: u8,

    /// Allow this many publishes or deliveries without an acknowledgement
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000), value_name = "N")]
    pub batch: u16,
}

/// Storage of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum StorageOpt {
    /// In memory
    Memory,
    /// On disk
    File,
}

impl BenchCommand {
    /// Its options.
    pub const fn bench(&self) -> &BenchOpts {
        match self {
            Self::Pub(bench) | Self::Sub(bench) | Self::Serve(bench) | Self::Request(bench) => bench,
            Self::JsPub(opts) | Self::JsConsume(opts) | Self::KvPut(opts) | Self::KvGet(opts) => &opts.bench,
        }
    }

    /// Its name on the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pub(_) => "pub",
            Self::Sub(_) => "sub",
            Self::Serve(_) => "serve",
            Self::Request(_) => "request",
            Self::JsPub(_) => "js-pub",
            Self::JsConsume(_) => "js-consume",
            Self::KvPut(_) => "kv-put",
            Self::KvGet(_) => "kv-get",
        }
    }
}
