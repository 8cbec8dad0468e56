//! The options of `loadgen detectors` as studies.

use std::path::PathBuf;
use std::time::Duration;

use nats_geo::core::Config;
use nats_geo::sim::detection::{Detector, Study};

use crate::cli::DetectorsOpts;

/// A comparison that can be played.
#[derive(Clone, Debug)]
pub struct DetectorsPlan {
    /// Every path with every interval.
    pub studies: Vec<Study>,
    /// Who takes part.
    pub detectors: Vec<Detector>,
    /// How long bursts of loss last, in milliseconds.
    pub burst_ms: u32,
    /// Days of one client, each study.
    pub days: u32,
    /// Seed of all random choices.
    pub seed: u64,
    /// Folder for the results.
    pub out: PathBuf,
    /// JSON on the terminal.
    pub json: bool,
}

impl DetectorsPlan {
    /// The options were checked one by one; together they always make sense.
    pub fn new(opts: DetectorsOpts) -> Self {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let study = |rtt_ms: u32, ping_ms: u32| {
            let mut study = Study::new(ms(rtt_ms), ms(ping_ms));
            study.days = opts.days.into();
            if let Some(bursts) = &mut study.path.bursts {
                bursts.lasts = ms(opts.burst_ms);
            }
            study.seed = opts.seed;
            study
        };
        let studies = opts.rtt_ms.iter().flat_map(|rtt| opts.ping_ms.iter().map(|ping| study(*rtt, *ping)));
        Self {
            studies: studies.collect(),
            detectors: detectors(),
            burst_ms: opts.burst_ms,
            days: opts.days,
            seed: opts.seed,
            out: opts.out,
            json: opts.json,
        }
    }
}

/// Ours, and those that others use or propose, with their usual settings.
fn detectors() -> Vec<Detector> {
    const FIXED_MS: [u64; 5] = [250, 500, 1_000, 2_000, 5_000];
    const RTO_MIN_MS: [u64; 2] = [200, 1_000];
    const PHI: [(f64, u64); 4] = [(8.0, 10), (12.0, 10), (8.0, 100), (12.0, 100)];
    let ms = Duration::from_millis;
    // The presets differ in their interval, which the study sets.
    let ladder = Detector::Ladder(Config::interactive().watch);
    let fixed = FIXED_MS.map(|after| Detector::Fixed(ms(after)));
    let rfc_6298 = RTO_MIN_MS.map(|min| Detector::Rfc6298 { rto_min: ms(min) });
    let phi = PHI.map(|(threshold, deviation)| Detector::Phi { threshold, deviation_min: ms(deviation) });
    std::iter::once(ladder).chain(fixed).chain(rfc_6298).chain(phi).collect()
}
