//! The commands of tutorials, run as a reader would run them, from the top of a page to its end.
//!
//! A line above a block says what is done with it. Every block of shell commands has one:
//! * `<!-- run -->`: the commands succeed, at the top of the repository.
//! * `<!-- run, whatever the verdict -->`: the same, but a bound that does not hold is no failure: a debug build on a busy machine
//!   misses times.
//! * `<!-- run beside the clone -->`: the same, in a folder in which the clone is `nats-geo`; `cd` lasts.
//! * `<!-- run until: TEXT -->`: the commands print TEXT, and end by Ctrl-C.
//! * `<!-- start until: TEXT -->`, `<!-- start beside the clone until: TEXT -->`: the same, but they go on to the end of the page.
//! * `<!-- write: PATH -->`: the block is a file in that folder.
//! * `<!-- shows: TEXT -->`: the command that was started last prints TEXT.
//! * `<!-- not run: WHY -->`

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::pages::{self, Page};
use crate::processes::{Started, run};

/// Pages whose every command is typed in.
pub(crate) fn is_tutorial(page: &Page) -> bool {
    page.name.contains("tutorial") || page.name.starts_with("getting-started") || page.name == "simulation.md"
}

/// Does what the marks of a page say.
///
/// The debug build takes the place of the optimised one, because the other tests have built it already.
pub(crate) fn run_all(page: &Page) {
    let beside = TempDir::new().unwrap();
    std::os::unix::fs::symlink(pages::root().canonicalize().unwrap(), beside.path().join("nats-geo"))
        .unwrap();
    let mut session =
        Session { page: &page.name, folder: beside.path().to_owned(), beside: &beside, started: Vec::new() };
    for block in blocks(page) {
        session.play(&block);
    }
}

struct Session<'a> {
    page: &'a str,
    beside: &'a TempDir,
    /// Where commands beside the clone are typed in.
    folder: PathBuf,
    started: Vec<Started>,
}

impl Session<'_> {
    fn play(&mut self, Block { what, text }: &Block) {
        let script = self.as_typed(text);
        match what {
            Mark::NotRun => {}
            Mark::Run => self.succeeds(&script, pages::root()),
            Mark::RunToVerdict => {
                let verdict =
                    format!("{{ {}\n}} || {{ code=$?; [ $code = 98 ] || [ $code = 99 ]; }}", script.trim());
                self.succeeds(&verdict, pages::root());
            }
            Mark::RunBeside => {
                let after = self.beside.path().join(".cwd");
                self.succeeds(&format!("{script}\npwd >'{}'", after.display()), &self.folder);
                self.folder = std::fs::read_to_string(after).unwrap().trim().into();
            }
            Mark::RunUntil(shown) => Started::new(&script, pages::root()).await_line(self.page, shown),
            Mark::Start(shown) => self.start(&script, pages::root(), shown),
            Mark::StartBeside(shown) => self.start(&script, &self.folder.clone(), shown),
            Mark::Write(path) => {
                let path = self.beside.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Mark::Shows(shown) => {
                let last = self.started.last_mut().expect("a command was started before");
                last.await_line(self.page, shown);
            }
        }
    }

    fn succeeds(&self, script: &str, folder: &Path) {
        let (succeeded, output) = run(script, folder);
        assert!(succeeded, "{}: this failed:\n{script}\n{output}", self.page);
    }

    fn start(&mut self, script: &str, folder: &Path, shown: &str) {
        let mut started = Started::new(script, folder);
        started.await_line(self.page, shown);
        self.started.push(started);
    }

    /// A reader copies the addresses that `loadgen up` has printed.
    fn as_typed(&self, text: &str) -> String {
        let mut script = text.replace("cargo run --release", "cargo run");
        for (label, example) in EXAMPLES {
            let lines = self.started.iter().flat_map(Started::lines);
            if let Some((_, printed)) = lines.filter_map(|line| line.split_once(label)).last() {
                script = script.replace(example, printed);
            }
        }
        script
    }
}

/// (Label in the output of `loadgen up`, text that stands in pages for what a reader sees behind it.)
const EXAMPLES: [(&str, &str); 1] = [("lon tcp ", "lon=nats://127.0.0.1:40001,lon=nats://127.0.0.1:40002")];

#[derive(Debug, PartialEq)]
struct Block {
    what: Mark,
    text: String,
}

#[derive(Debug, PartialEq)]
enum Mark {
    Run,
    RunToVerdict,
    RunBeside,
    RunUntil(String),
    Start(String),
    StartBeside(String),
    Write(String),
    Shows(String),
    NotRun,
}

impl Mark {
    fn parse(line: &str) -> Option<Self> {
        let inner = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
        let (verb, rest) = inner.split_once(": ").unwrap_or((inner, ""));
        let rest = rest.to_owned();
        Some(match verb {
            "run" => Self::Run,
            "run, whatever the verdict" => Self::RunToVerdict,
            "run beside the clone" => Self::RunBeside,
            "run until" => Self::RunUntil(rest),
            "start until" => Self::Start(rest),
            "start beside the clone until" => Self::StartBeside(rest),
            "write" => Self::Write(rest),
            "shows" => Self::Shows(rest),
            "not run" => Self::NotRun,
            _ => return None,
        })
    }
}

fn blocks(page: &Page) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.text.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let text: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            let mark = Mark::parse(before);
            assert!(
                mark.is_some() || !language.starts_with("sh"),
                "{}: the block of commands below {before:?} has no mark such as `<!-- run -->`; tests/book/commands.rs \
                 lists them",
                page.name
            );
            blocks.extend(mark.map(|what| Block { what, text: text.join("\n") + "\n" }));
        }
        if !line.trim().is_empty() {
            before = line.trim();
        }
    }
    blocks
}

#[test]
fn blocks_are_found_with_what_is_to_be_done_with_them() {
    let text = "text\n\n<!-- run -->\n```sh\nls\n```\n\n<!-- start until: ready -->\n\n```sh\na\nb\n```\n<!-- not run: x -->\n\
                ```sh\nc\n```\n```js\nd\n```\n<!-- write: a/b.rs -->\n```rust\ne\n```\n";
    let block = |what, text: &str| Block { what, text: text.into() };
    assert_eq!(
        blocks(&pages::test_page(text)),
        [
            block(Mark::Run, "ls\n"),
            block(Mark::Start("ready".into()), "a\nb\n"),
            block(Mark::NotRun, "c\n"),
            block(Mark::Write("a/b.rs".into()), "e\n"),
        ]
    );
    let unmarked = std::panic::catch_unwind(|| blocks(&pages::test_page("text\n```sh\nls\n```\n")));
    assert!(unmarked.is_err());
}

#[test]
fn a_page_is_played_from_its_top_to_its_end() {
    let page = |end: &str| {
        pages::test_page(&format!(
            "<!-- write: made/file -->\n```text\nready\n```\n<!-- run beside the clone -->\n```sh\ncd made\n```\n\
             <!-- start beside the clone until: ready -->\n```sh\ncat file; echo steady; sleep 60\n```\n\
             <!-- shows: {end} -->\n```text\n```\n"
        ))
    };
    run_all(&page("steady"));
    let silent = std::panic::catch_unwind(|| {
        run_all(&pages::test_page("<!-- run until: x -->\n```sh\necho y\n```\n"))
    });
    assert!(silent.is_err(), "the command ended without it");
    let failed =
        std::panic::catch_unwind(|| run_all(&pages::test_page("<!-- run -->\n```sh\nfalse\ntrue\n```\n")));
    assert!(failed.is_err());
}
