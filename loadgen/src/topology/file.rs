//! Topology files: TOML in, a checked topology out, and the line of everything that is wrong.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::distances::RttTable;
use super::model::Topology;
use super::problem::{Problem, ProblemKind, TopologyError};
use super::spec::Spec;

/// Reads a topology. `file` names it in errors. `read` reads the CSV file of `distances.csv`; its path is relative to the
/// topology file, which only the caller knows.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
///
/// ```
/// let topology = loadgen::topology::from_toml(
///     "[[cluster]]\nname = \"lon\"\n\n[[cluster]]\nname = \"ams\"\nservers = 5\n",
///     "mine.toml",
///     |_csv| Err("there is none".to_owned()),
/// )?;
/// assert_eq!(topology.servers().count(), 8);
/// # Ok::<(), loadgen::topology::TopologyError>(())
/// ```
pub fn from_toml(
    text: &str,
    file: &str,
    read: impl FnOnce(&str) -> Result<String, String>,
) -> Result<Topology, TopologyError> {
    let lines = Lines { text, file };
    let mut spec: Spec = toml::from_str(text).map_err(|error| lines.syntax(&error))?;
    if spec.name.is_none() {
        let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
        spec.name = Some(stem.trim_end_matches(".toml").to_owned());
    }
    let topology = distances(&spec, read).and_then(|csv| {
        let topology = Topology::from_spec(spec, csv)?;
        let unknown = check::unknown_pairs(topology.spec(), topology.distances());
        if unknown.is_empty() { Ok(topology) } else { Err(unknown) }
    });
    topology.map_err(|problems| lines.locate(problems))
}

fn distances(
    spec: &Spec,
    read: impl FnOnce(&str) -> Result<String, String>,
) -> Result<RttTable, Vec<Problem>> {
    let Some(path) = &spec.distances.csv else { return Ok(RttTable::default()) };
    let text = read(path).map_err(|reason| {
        vec![Problem {
            key: "distances.csv".to_owned(),
            kind: ProblemKind::CsvFile { path: path.clone(), reason },
        }]
    })?;
    check::read_csv(&text)
}

/// The text, for the numbers of its lines.
struct Lines<'a> {
    text: &'a str,
    file: &'a str,
}

impl Lines<'_> {
    fn syntax(&self, error: &toml::de::Error) -> TopologyError {
        let place = error.span().map_or_else(String::new, |span| self.place(span.start));
        // The parser's message may take several lines; the line of the file is said already.
        let message = in_plain_words(&error.message().lines().collect::<Vec<_>>().join(", "));
        let key = error.span().map_or_else(String::new, |span| self.key_before(span.start));
        let problem = Problem { key, kind: ProblemKind::Syntax(message) };
        TopologyError::located(vec![problem], |_| place.clone())
    }

    fn locate(&self, problems: Vec<Problem>) -> TopologyError {
        let document = DeTable::parse(self.text).ok();
        TopologyError::located(problems, |problem| {
            let at = document.as_ref().and_then(|document| position(document.get_ref(), &problem.key));
            at.map_or_else(|| format!("{}: ", self.file), |at| self.place(at))
        })
    }

    /// The key whose value begins at `at`; empty, if a key itself does.
    fn key_before(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let key = line.rsplit_once('=').map_or("", |(key, _)| key);
        key.rsplit(['{', ',', '[']).next().unwrap_or_default().trim().trim_matches('"').to_owned()
    }

    fn place(&self, at: usize) -> String {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}: ", self.file)
    }
}

/// The parser speaks of Rust's types.
fn in_plain_words(message: &str) -> String {
    let numbers = [("u8", "255"), ("u16", "65535"), ("u32", "4294967295")];
    numbers.into_iter().fold(message.to_owned(), |text, (kind, most)| {
        text.replace(&format!("expected {kind}"), &format!("expected a whole number from 0 to {most}"))
    })
}

/// Where a key stands, or the last part of its path that does.
fn position(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let entry = |name: &str| table.iter().find(|(known, _)| known.get_ref() == name);
    // Keys may contain what separates keys: names of clusters do.
    let (name, rest) = match entry(key) {
        Some(_) => (key, ""),
        None => key.split_at(key.find(['.', '[']).unwrap_or(key.len())),
    };
    let (known, value) = entry(name)?;
    Some(in_value(value, rest).unwrap_or_else(|| known.span().start))
}

fn in_value(value: &Spanned<DeValue<'_>>, rest: &str) -> Option<usize> {
    if let Some(rest) = rest.strip_prefix('.') {
        return position(value.get_ref().as_table()?, rest);
    }
    let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let item = value.get_ref().as_array()?.get(index.parse::<usize>().ok()?)?;
    Some(in_value(item, rest).unwrap_or_else(|| item.span().start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        from_toml(text, "x.toml", |_| Err("no such file".to_owned())).unwrap_err().to_string()
    }

    #[test]
    fn problems_have_lines() {
        let text =
            "[[cluster]]\nname = \"lon\"\n\n[[cluster]]\nname = \"ams\"\nleaf_of = \"mars\"\nservers = 12\n";
        let expected = "x.toml:7: cluster[1].servers: 12 servers: give 1 to 9\n\
             x.toml:6: cluster[1].leaf_of: there is no cluster `mars`: choose one of lon";
        assert!(error(text).starts_with(expected), "{}", error(text));
    }

    #[test]
    fn keys_of_pairs_are_found() {
        let text = "[[cluster]]\nname = \"AWS.eu\"\n[[cluster]]\nname = \"lon\"\n[distances.rtt_ms]\n\"AWS.eu-lon\" = 9\n\"AWS.eu-mars\" = 5\n";
        assert_eq!(
            error(text),
            "x.toml:7: distances.rtt_ms.AWS.eu-mars: `AWS.eu-mars` does not name two of the clusters AWS.eu, lon: \
             write `A-B`, or `A B` where names contain `-`"
        );
    }

    #[test]
    fn syntax_errors_have_lines() {
        assert!(error("[[cluster]]\nname = lon\n").starts_with("x.toml:2: "));
        let unknown = error("[[cluster]]\nname = \"lon\"\nserver_count = 3\n");
        assert!(unknown.starts_with("x.toml:3: ") && unknown.contains("`server_count`"), "{unknown}");
        let size = error("[[cluster]]\nname = \"lon\"\n[jetstream]\nmax_memory = \"64 potatoes\"\n");
        assert!(size.starts_with("x.toml:4: ") && size.contains("64 potatoes"), "{size}");
    }

    #[test]
    fn distances_come_from_cities_pairs_tables_and_the_rest() {
        let clusters = "[[cluster]]\nname = \"us-east-1\"\ncity = \"iad\"\n[[cluster]]\nname = \"dal\"\n[[cluster]]\nname = \"moon\"\n[[cluster]]\nname = \"mars\"\n";
        let rest = "[distances]\ncsv = \"far.csv\"\nother_ms = 400\n[distances.rtt_ms]\n\"dal moon\" = 300\n";
        let read = |name: &str| {
            assert_eq!(name, "far.csv");
            Ok("from,to,ms\n# far\nmoon,mars,444.5\n".to_owned())
        };
        let topology = from_toml(&format!("{clusters}{rest}"), "x.toml", read).unwrap();
        let ms = |a: &str, b: &str| topology.rtt(a, b).unwrap().as_secs_f64() * 1_000.0;
        assert_eq!(ms("us-east-1", "dal"), 32.0);
        assert_eq!(ms("moon", "dal"), 300.0);
        assert_eq!(ms("mars", "moon"), 444.5);
        assert_eq!(ms("mars", "us-east-1"), 400.0);
        let missing = from_toml(clusters, "x.toml", read).unwrap_err().to_string();
        assert!(missing.contains("between `us-east-1` and `moon`") && missing.contains("[distances.rtt_ms]"));
        assert!(error(&format!("{clusters}{rest}")).contains("cannot read `far.csv`: no such file"));
        let bad = from_toml(&format!("{clusters}{rest}"), "x.toml", |_| Ok("a,b\n".to_owned())).unwrap_err();
        assert!(bad.to_string().starts_with("x.toml:11: distances.csv: line 1 of the CSV file"), "{bad}");
    }
}
