//! The load of this machine by all of its processes.

/// Processor time of the whole machine since it started, in ticks of the operating system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProcessorTime {
    idle: u64,
    total: u64,
}

impl ProcessorTime {
    /// Now. `None` where the operating system does not tell (it is not Linux).
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// The share of the time since `before` in which the processors were idle, from 0 to 1. `None` if too little time has
    /// passed to tell.
    pub fn idle_share_since(self, before: Self) -> Option<f64> {
        let total = self.total.checked_sub(before.total).filter(|total| *total > 0)?;
        Some(self.idle.saturating_sub(before.idle) as f64 / total as f64)
    }

    /// The first line of `/proc/stat` (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal; the time of guests
    /// is contained in user and nice.
    fn parse(stat: &str) -> Option<Self> {
        const FIELDS: usize = 8;
        const IDLE: [usize; 2] = [3, 4];
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> =
            line.split_whitespace().take(FIELDS).map_while(|time| time.parse().ok()).collect();
        let idle = IDLE.iter().map(|field| times.get(*field)).sum::<Option<u64>>()?;
        Some(Self { idle, total: times.iter().sum() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_what_is_neither_worked_nor_stolen() {
        let before = ProcessorTime::parse("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2 3").unwrap();
        let after = ProcessorTime::parse("cpu  150 0 70 820 20 0 10 45 9 0").unwrap();
        assert_eq!(after.idle_share_since(before), Some(30.0 / 115.0));
        assert_eq!(after.idle_share_since(after), None);
        assert_eq!(ProcessorTime::parse("intr 1 2"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        assert!(ProcessorTime::now().is_some_and(|now| now.total >= now.idle));
    }
}
