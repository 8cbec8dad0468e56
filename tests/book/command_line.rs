//! The reference of the command `loadgen`, from its own help.

use clap::{Arg, Command, CommandFactory as _};
use std::fmt::Write as _;

/// A section for the command and each of its commands.
pub(crate) fn markdown() -> String {
    let mut text = String::new();
    add_sections(&mut text, &loadgen::cli::Opts::command(), "loadgen");
    text
}

fn add_sections(text: &mut String, command: &Command, name: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&section(command, name));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        add_sections(text, sub, &format!("{name} {}", sub.get_name()));
    }
}

fn section(command: &Command, name: &str) -> String {
    let about = command.get_long_about().or_else(|| command.get_about()).expect("every command has a help");
    let mut text = format!("## `{name}`\n\n{about}\n");
    let is_own = |arg: &&Arg| !matches!(arg.get_id().as_str(), "help" | "version") && !arg.is_hide_set();
    let rows: String = command.get_arguments().filter(is_own).map(row).collect();
    if !rows.is_empty() {
        let _ = write!(text, "\n| option | default | meaning |\n|---|---|---|\n{rows}");
    }
    text
}

fn row(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
    let values =
        if arg.get_action().takes_values() { values.collect::<Vec<_>>().join(" ") } else { String::new() };
    let name = arg.get_long().map_or(String::new(), |long| format!("--{long}"));
    let name = [name, values].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let defaults = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy()));
    let default =
        if arg.get_action().takes_values() { defaults.collect::<Vec<_>>().join(" ") } else { String::new() };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
    let choices = arg.get_possible_values();
    let choice = |value: &clap::builder::PossibleValue| {
        let help = value.get_help().map(|help| format!(": {help}")).unwrap_or_default();
        format!("`{}`{help}", value.get_name())
    };
    let choices = choices.iter().filter(|_| arg.get_action().takes_values()).map(choice).collect::<Vec<_>>();
    let choices = if choices.is_empty() { String::new() } else { format!(". {}", choices.join("; ")) };
    format!("| `{name}` | {default} | {help}{choices} |\n")
}
