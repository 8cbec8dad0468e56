//! The fields of the policy by their names in [`Config`], as JavaScript writes them. Durations are in milliseconds.

use std::time::Duration;

use nats_geo::core::{CapacityHint, Config};
use nats_geo::wire::json::Value;

use super::code::{Code, Refusal};

/// One field of a section, to be set.
enum Field<'a> {
    Millis(&'a mut Duration),
    Number(&'a mut f64),
    Count(&'a mut usize),
    Count32(&'a mut u32),
}

/// Sets what `json` names, section by section.
pub(super) fn apply(json: &Value, config: &mut Config) -> Result<(), Refusal> {
    let Value::Object(sections) = json else { return Err(bad("config", "an object")) };
    for (section, fields) in sections {
        if section == "warm_standby" {
            config.warm_standby = fields.as_bool().ok_or_else(|| bad(section, "true or false"))?;
            continue;
        }
        let Value::Object(fields) = fields else { return Err(bad(section, "an object")) };
        for (name, value) in fields {
            if (section.as_str(), name.as_str()) == ("spread", "capacity") {
                config.spread.capacity = Some(capacity(value)?);
                continue;
            }
            let path = || [section, ".", name].concat();
            let field = field(config, section, name).ok_or_else(|| {
                Refusal::new(Code::InvalidConfig, format!("`config.{}` is no field of the policy", path()))
            })?;
            set(field, value).map_err(|expected| bad(&path(), expected))?;
        }
    }
    Ok(())
}

/// Milliseconds as a duration, at most [`MILLIS_MAX`]; `None` for what is none.
pub(super) fn millis(ms: f64) -> Option<Duration> {
    (ms >= 0.0).then(|| Duration::from_micros((ms.min(MILLIS_MAX) * 1e3) as u64))
}

/// 68 years are for ever. What is longer would overflow where durations are multiplied and added.
const MILLIS_MAX: f64 = 2_147_483_647e3;

fn set(field: Field<'_>, value: &Value) -> Result<(), &'static str> {
    const WHOLE: &str = "a whole number that is not negative";
    match field {
        Field::Millis(field) => *field = value.as_f64().and_then(millis).ok_or("milliseconds")?,
        Field::Number(field) => *field = value.as_f64().ok_or("a number")?,
        Field::Count(field) => {
            *field = value.as_u64().and_then(|count| usize::try_from(count).ok()).ok_or(WHOLE)?;
        }
        Field::Count32(field) => {
            *field = value.as_u64().and_then(|count| u32::try_from(count).ok()).ok_or(WHOLE)?;
        }
    }
    Ok(())
}

fn capacity(value: &Value) -> Result<CapacityHint, Refusal> {
    let expected = || bad("spread.capacity", "an object of `clients` and `accepts_per_second`");
    let clients = value.get("clients").and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
    let accepts_per_second = value.get("accepts_per_second").and_then(Value::as_f64);
    Ok(CapacityHint {
        clients: clients.ok_or_else(expected)?,
        accepts_per_second: accepts_per_second.ok_or_else(expected)?,
    })
}

fn bad(path: &str, expected: &str) -> Refusal {
    let path = path.strip_prefix("config").unwrap_or(path);
    let dot = if path.is_empty() { "" } else { "." };
    Refusal::new(Code::InvalidConfig, format!("`config{dot}{path}` must be {expected}"))
}

fn field<'a>(config: &'a mut Config, section: &str, name: &str) -> Option<Field<'a>> {
    match section {
        "probe" => probe(config, name),
        "rank" => rank(config, name),
        "dial" => dial(config, name),
        "watch" => watch(config, name),
        "spread" => spread(config, name),
        "fail_back" => fail_back(config, name),
        "damping" => damping(config, name),
        "handover" => handover(config, name),
        _ => None,
    }
}

/// A function from the name of a field of one section to the field.
macro_rules! section {
    ($section:ident: $($field:ident $kind:ident),+ $(,)?) => {
        fn $section<'a>(config: &'a mut Config, name: &str) -> Option<Field<'a>> {
            Some(match name {
                $(stringify!($field) => Field::$kind(&mut config.$section.$field),)+
                _ => return None,
            })
        }
    };
}

section!(probe: timeout Millis, in_flight_max Count, interval Millis, interval_max Millis, away_interval Millis,
    jitter Number, budget_per_minute Count32, start_samples Count, start_window_factor Count32,
    start_window_min Millis, start_window_max Millis, start_review Millis);
section!(rank: samples Count, sample_age_intervals Count32, tie_ratio Number, tie_min Millis, tie_max Millis,
    unhealthy_for Millis, unhealthy_region_for Millis, servers_min Count);
section!(dial: timeout Millis, in_flight_max Count, attempt_delay_min Millis, attempt_delay_max Millis,
    next_region_after Millis, siblings_down Count, siblings_down_within Millis, backoff_base Millis,
    backoff_cap Millis, stable_after Millis, budget_burst Count32, budget_per_second Number);
section!(watch: ping_interval Millis, suspect_min Millis, suspect_slack Millis, dead_slack Millis, dead_min Millis,
    dead_max Millis, progress_patience Millis, stall Millis);
section!(spread: server_lost Millis, region_lost Millis, lame_duck Millis);
section!(fail_back: good_probes Count32, good_for Millis, servers Count, cohort Number, spread Millis,
    gain_min Millis, gain_ratio Number, gain_evaluations Count32, gain_for Millis);
section!(damping: penalty Number, half_life Millis, suppress Number, reuse Number, suppress_max Millis);
section!(handover: overlap_min Millis, overlap_max Millis, drain Millis);

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The names of the fields as the core's own `Debug` shows them.
    pub(in super::super) fn sections(config: &Config) -> Vec<(String, Vec<String>)> {
        let mut sections: Vec<(String, Vec<String>)> = Vec::new();
        for line in format!("{config:#?}").lines() {
            let Some((name, value)) = line.trim_start().split_once(':') else { continue };
            match line.len() - line.trim_start().len() {
                4 if value.ends_with('{') => sections.push((name.into(), Vec::new())),
                8 => sections.last_mut().unwrap().1.push(name.into()),
                _ => {}
            }
        }
        sections
    }

    #[test]
    fn every_field_of_the_policy_can_be_set() {
        let mut config = Config::fleet();
        let mut set = 0;
        for (section, names) in sections(&Config::fleet()) {
            for name in names {
                let value =
                    if name == "capacity" { r#"{"clients":9,"accepts_per_second":1.5}"# } else { "3" };
                let json = format!(r#"{{"{section}":{{"{name}":{value}}}}}"#);
                apply(&Value::parse(json.as_bytes()).unwrap(), &mut config).unwrap();
                set += 1;
            }
        }
        assert_eq!(set, 61);
        assert_eq!(config.watch.ping_interval, Duration::from_millis(3));
        assert_eq!(config.spread.capacity, Some(CapacityHint { clients: 9, accepts_per_second: 1.5 }));
        assert_eq!((config.rank.samples, config.damping.reuse, config.fail_back.good_probes), (3, 3.0, 3));
    }

    #[test]
    fn for_ever_is_bounded() {
        for (ms, expected) in
            [(1e300, Some(2_147_483_647)), (f64::INFINITY, Some(2_147_483_647)), (-1.0, None)]
        {
            assert_eq!(millis(ms), expected.map(Duration::from_secs), "{ms}");
        }
    }

    #[test]
    fn unknown_and_bad_fields_are_named() {
        for (json, expected) in [
            (r#"{"watch":{"pingInterval":1}}"#, "`config.watch.pingInterval` is no field of the policy"),
            (r#"{"wach":{"x":1}}"#, "`config.wach.x` is no field of the policy"),
            (r#"{"watch":{"stall":"1s"}}"#, "`config.watch.stall` must be milliseconds"),
            (r#"{"watch":{"stall":-1}}"#, "`config.watch.stall` must be milliseconds"),
            (r#"{"watch":1}"#, "`config.watch` must be an object"),
            (
                r#"{"spread":{"capacity":1}}"#,
                "`config.spread.capacity` must be an object of `clients` and `accepts_per_second`",
            ),
            ("7", "`config` must be an object"),
        ] {
            let refusal = apply(&Value::parse(json.as_bytes()).unwrap(), &mut Config::fleet()).unwrap_err();
            assert_eq!((refusal.code, refusal.text.as_str()), (Code::InvalidConfig, expected));
        }
    }
}
