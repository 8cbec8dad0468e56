//! Topology files: TOML in, a checked topology out, or the line of each mistake.

use super::check;
use super::distances::RttTable;
use super::model::Topology;
use super::problem::{Problem, ProblemKind, TopologyError};
use super::spec::Spec;
use crate::toml_file::{SyntaxProblem, TomlFile};

/// Reads a topology. `file` names it in errors. `read` reads the CSV file of `distances.csv`; its path is relative to the
/// topology file, which only the caller knows.
///
/// # Errors
/// Returns all problems of the file, each with its line.
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
    let lines = TomlFile { text, name: file };
    let mut spec: Spec = toml::from_str(text).map_err(|error| syntax(lines, &error))?;
    if spec.name.is_none() {
        let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
        spec.name = Some(stem.trim_end_matches(".toml").to_owned());
    }
    let topology = distances(&spec, read).and_then(|csv| {
        let topology = Topology::from_spec(spec, csv)?;
        let unknown = check::unknown_pairs(topology.spec(), topology.distances());
        if unknown.is_empty() { Ok(topology) } else { Err(unknown) }
    });
    topology.map_err(|problems| TopologyError::located(problems, |problem| lines.place_of(&problem.key)))
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

fn syntax(file: TomlFile<'_>, error: &toml::de::Error) -> TopologyError {
    let SyntaxProblem { place, key, message } = file.syntax(error);
    let problem = Problem { key, kind: ProblemKind::Syntax(message) };
    TopologyError::located(vec![problem], |_| place.clone())
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
