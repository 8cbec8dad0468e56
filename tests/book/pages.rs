//! The pages of the book, and their generated parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A Markdown file.
pub(crate) struct Page {
    /// Its file name.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) path: PathBuf,
}

impl Page {
    /// The text with the generated parts as they are now, and the names of those.
    pub(crate) fn with<'a>(&self, parts: &BTreeMap<&'a str, String>) -> (String, Vec<&'a str>) {
        let (mut text, mut used) = (String::new(), Vec::new());
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (name, after) = after.split_once(" -->").expect("`<!-- generated: NAME -->` on one line");
            let (name, part) = parts.get_key_value(name).unwrap_or_else(|| {
                panic!("{}: nothing generates `{name}`: choose one of {:?}", self.name, parts.keys())
            });
            let (_, after) = after.split_once(END).unwrap_or_else(|| {
                panic!("{}: end the generated part `{name}` with `{END}`", self.name);
            });
            text.push_str(&format!("{before}{BEGIN}{name} -->\n\n{}\n\n{END}", part.trim()));
            used.push(*name);
            rest = after;
        }
        text.push_str(rest);
        (text, used)
    }
}

/// All pages of the book, and README.
pub(crate) fn all() -> Vec<Page> {
    let folder = root().join("docs/book");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut pages: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    pages.push(root().join("README.md"));
    let page = |path: PathBuf| Page {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: std::fs::read_to_string(&path).unwrap(),
        path,
    };
    pages.into_iter().map(page).collect()
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A page with this text, which is no file.
#[cfg(test)]
pub(crate) fn test_page(text: &str) -> Page {
    Page { name: "a.md".into(), text: text.into(), path: PathBuf::new() }
}

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end of the generated part -->";

#[test]
fn a_generated_part_is_replaced_and_the_rest_stays() {
    let parts = BTreeMap::from([("one", "new".to_owned())]);
    let (text, used) = test_page(&format!("before\n{BEGIN}one -->\nold\n{END}\nafter\n")).with(&parts);
    assert_eq!(text, format!("before\n{BEGIN}one -->\n\nnew\n\n{END}\nafter\n"));
    assert_eq!(used, ["one"]);
    assert_eq!(test_page(&text).with(&parts).0, text, "a second time changes nothing");
    let wrong = std::panic::catch_unwind(|| test_page(&format!("{BEGIN}two -->\n{END}")).with(&parts));
    assert!(wrong.is_err());
}
