//! Scenario files: TOML in, checked scenarios out, one for each strategy.

use toml::Value;

use super::chaos::chaos;
use super::check::{self, More};
use super::fault::FaultKind;
use super::overrides::{self, Override};
use super::problem::{Problem, ProblemKind, ScenarioError};
use super::spec::{FaultSpec, ScenarioSpec, TopologyRef};
use super::{Strategy, Threshold};
use crate::toml_file::{self, SyntaxProblem, TomlFile};
use crate::topology::Topology;

/// Values that change a scenario from outside of its file.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Values of an env file.
    pub env: Vec<(String, String)>,
    /// `--set`.
    pub overrides: Vec<Override>,
    /// `--fault`: besides those of the file.
    pub faults: Vec<FaultSpec>,
    /// `--chaos`: faults that this seed draws.
    pub chaos: Option<u64>,
    /// `--threshold`: besides those of the file.
    pub thresholds: Vec<Threshold>,
    /// `--topology`: instead of the file's.
    pub topology: Option<Topology>,
}

/// Reads a scenario. `file` names it in errors. `topology` reads the topology of a name or a path relative to the scenario file, or
/// of the text of an inline one; only the caller knows where files are.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
///
/// ```
/// let text = r#"
/// title = "One region dies"
/// [[clients]]
/// kind = "nats-geo"
/// per_region = 2
/// [[phase]]
/// name = "outage"
/// for = "10s"
/// [[fault]]
/// inject = "kill"
/// target = "lon"
/// phase = "outage"
/// "#;
/// use loadgen::scenario;
/// use loadgen::topology::{Preset, Topology};
/// let preset = |_: scenario::TopologySource<'_>| Ok(Preset::named("super-cluster").unwrap().topology().unwrap());
/// let strategies = scenario::from_toml(text, "mine.toml", &scenario::Inputs::default(), preset)?;
/// assert_eq!(strategies[0].scenario.faults[0].to_string(), "kill:lon@0s/10s");
/// # Ok::<(), loadgen::scenario::ScenarioError>(())
/// ```
pub fn from_toml(
    text: &str,
    file: &str,
    inputs: &Inputs,
    topology: impl Fn(TopologySource<'_>) -> Result<Topology, String>,
) -> Result<Vec<Strategy>, ScenarioError> {
    let lines = TomlFile { text, name: file };
    let place = |problem: &Problem| {
        // An option is no part of the file.
        if problem.key.starts_with("--") { String::new() } else { lines.place_of(&problem.key) }
    };
    let located = |problems| ScenarioError::located(problems, place);
    let mut document: toml::Table = toml::from_str(text).map_err(|error| {
        let SyntaxProblem { place, key, message } = lines.syntax(&error);
        ScenarioError::located(vec![Problem { key, kind: ProblemKind::Syntax(message) }], |_| place.clone())
    })?;
    fill_in(&mut document, inputs).map_err(located)?;
    let spec = read(document.clone()).map_err(|problem| located(vec![problem]))?;
    let mut strategies = Vec::new();
    let mut problems = Vec::new();
    let variants: Vec<(String, toml::Table)> = if spec.strategy.is_empty() {
        vec![(String::new(), document)]
    } else {
        variants(&spec, &document, &mut problems)
    };
    for (name, document) in variants {
        let made = read(document).map_err(|problem| vec![problem]).and_then(|spec| {
            let topology = match &inputs.topology {
                Some(topology) => topology.clone(),
                None => topology_of(&spec, &topology)?,
            };
            let more = More { faults: faults(&spec, inputs, &topology), thresholds: &inputs.thresholds };
            check::run(spec, topology, file, &more)
        });
        match made {
            Ok(scenario) => strategies.push(Strategy { name, scenario }),
            Err(found) => {
                let new = found.into_iter().filter(|problem| !problems.contains(problem));
                let new: Vec<_> = new.collect();
                problems.extend(new);
            }
        }
    }
    if problems.is_empty() { Ok(strategies) } else { Err(located(problems)) }
}

/// Source of a topology.
#[derive(Clone, Copy, Debug)]
pub enum TopologySource<'a> {
    /// A preset, or a path relative to the scenario file.
    Name(&'a str),
    /// The text of a topology file.
    Inline(&'a str),
}

/// Env file, variables and `--set`, in this order.
fn fill_in(document: &mut toml::Table, inputs: &Inputs) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut variables = match document.get("variables") {
        Some(Value::Table(variables)) => variables.clone(),
        _ => toml::Table::new(),
    };
    for (name, value) in &inputs.env {
        if variables.contains_key(name) {
            variables.insert(name.clone(), super::fault::scalar(value));
        } else {
            let known = variables.keys().cloned().collect();
            let kind = ProblemKind::UnusedVariable { name: name.clone(), known };
            problems.push(Problem { key: "--env".to_owned(), kind });
        }
    }
    let mut unknown = Vec::new();
    for (_, value) in document.iter_mut().filter(|(key, _)| *key != "variables") {
        overrides::substitute(value, &variables, &mut unknown);
    }
    let of_variable = |name| Problem { key: "variables".to_owned(), kind: ProblemKind::Variable(name) };
    problems.extend(unknown.into_iter().map(of_variable));
    for change in &inputs.overrides {
        if let Err(path) = overrides::apply(document, change) {
            problems.push(Problem { key: "--set".to_owned(), kind: ProblemKind::NoSuchPath(path) });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn variants(
    spec: &ScenarioSpec,
    document: &toml::Table,
    problems: &mut Vec<Problem>,
) -> Vec<(String, toml::Table)> {
    let mut variants: Vec<(String, toml::Table)> = Vec::new();
    for (index, strategy) in spec.strategy.iter().enumerate() {
        let mut document = document.clone();
        for (path, value) in &strategy.set {
            let change = Override { path: path.clone(), value: value.clone() };
            if let Err(path) = overrides::apply(&mut document, &change) {
                let kind = ProblemKind::NoSuchPath(path);
                problems.push(Problem { key: format!("strategy[{index}].set"), kind });
            }
        }
        if variants.iter().any(|(name, _)| *name == strategy.name) {
            let kind = ProblemKind::Twice { what: "strategy", name: strategy.name.clone() };
            problems.push(Problem { key: format!("strategy[{index}].name"), kind });
        }
        variants.push((strategy.name.clone(), document));
    }
    variants
}

fn read(document: toml::Table) -> Result<ScenarioSpec, Problem> {
    serde_path_to_error::deserialize(Value::Table(document)).map_err(|error| {
        let toml_file::Problem { key, kind } = toml_file::unexpected(&error);
        Problem { key, kind: ProblemKind::Syntax(kind) }
    })
}

/// Those of the command line.
fn faults(spec: &ScenarioSpec, inputs: &Inputs, topology: &Topology) -> Vec<FaultSpec> {
    let lasts = spec.phase.iter().map(|phase| phase.lasts.duration()).sum();
    let drawn = inputs.chaos.map(|seed| chaos(seed, lasts, topology));
    inputs.faults.iter().cloned().chain(drawn.into_iter().flatten()).collect()
}

fn topology_of(
    spec: &ScenarioSpec,
    read: impl Fn(TopologySource<'_>) -> Result<Topology, String>,
) -> Result<Topology, Vec<Problem>> {
    let text;
    let source = match &spec.topology {
        None => TopologySource::Name("super-cluster"),
        Some(TopologyRef::Name(name)) => TopologySource::Name(name),
        Some(TopologyRef::Inline(table)) => {
            text = table.to_string();
            TopologySource::Inline(&text)
        }
    };
    read(source)
        .map_err(|reason| vec![Problem { key: "topology".to_owned(), kind: ProblemKind::Topology(reason) }])
}

/// Describes the targets of a fault, for people.
pub(super) const fn targets_in_words(kind: FaultKind) -> &'static str {
    use super::TargetKind;
    match kind.target() {
        TargetKind::Servers => "regions or servers",
        TargetKind::Regions => "regions",
        TargetKind::Pairs => "pairs of regions such as \"lon-ams\"",
        TargetKind::Leader => "\"meta\", or the name of a stream",
        TargetKind::Population => "a population",
        TargetKind::Resolvers => "resolvers, or \"all\"",
    }
}
