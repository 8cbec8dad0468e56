//! Words that users read: no sentence begins without its subject, and the field's own terms stand in place of private ones.
//!
//! Users read Markdown pages, the documentation and the errors of public items, command line help and `.d.ts` files.

use proc_macro2::TokenStream;
use syn::visit::Visit;
use syn::{Attribute, Expr, Lit, LitStr, Meta, Visibility};

use super::files::File;
use super::rules::has_word;

/// Beginnings of sentences that do not say who does what. Questions may begin so.
const HEADLESS: [&str; 4] = ["What ", "Whoever ", "Of everything ", "Where that is "];

/// (Private term, the field's term.) Names in code spans are not meant.
const PRIVATE: [(&str, &str); 26] = [
    ("of no use", "failed its health check"),
    ("useless", "unhealthy"),
    ("unusable", "unhealthy"),
    ("gate", "health check"),
    ("gates", "health checks"),
    ("nothing better", "no healthy alternative"),
    ("stranded", "without a healthy alternative"),
    ("whoever", "the caller, the application, the operator"),
    ("somebody", "the caller, another client, the operator"),
    ("sent again", "resent"),
    ("send again", "resend"),
    ("sends again", "resends"),
    ("comes again", "is redelivered"),
    ("come again", "are redelivered"),
    ("in the books", "recorded"),
    ("in a hurry", "at once, without draining"),
    ("afresh", "again, anew"),
    ("deaf", "denied its inbox"),
    ("bury", "reap"),
    ("way home", "fail back"),
    ("come home", "fail back"),
    ("comes home", "fails back"),
    ("home again", "failed back"),
    ("in doubt", "unconfirmed"),
    ("doubled", "duplicated"),
    ("letting go", "closing"),
];

pub(crate) fn plain(file: &File) -> Vec<String> {
    let texts = if is_page(&file.path) {
        paragraphs(&file.text)
    } else if file.path.ends_with(".d.ts") {
        comments(&file.text)
    } else if is_public_rust(&file.path) {
        public_texts(&file.text)
    } else {
        Vec::new()
    };
    texts.iter().flat_map(|(line, text)| complaints(&format!("{}:{line}", file.path), text)).collect()
}

fn complaints(place: &str, text: &str) -> Vec<String> {
    let text = without_code(text);
    let mut found: Vec<_> = sentences(&text)
        .filter(|sentence| !sentence.trim_end().ends_with('?'))
        .filter_map(|sentence| HEADLESS.iter().find(|beginning| sentence.starts_with(**beginning)))
        .map(|beginning| {
            format!("{place}: a sentence begins with `{}`: say who does what", beginning.trim_end())
        })
        .collect();
    let lower = text.to_lowercase();
    for (private, term) in PRIVATE {
        if has_word(&lower, private) {
            found.push(format!("{place}: `{private}`: write `{term}`"));
        }
    }
    found
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '?', '!', '|'])
        .map(|sentence| sentence.trim_start_matches([' ', '*', '-', '#', '|', '>']))
}

/// Code spans name things; what they are called is another matter.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("it")
}

fn is_page(path: &str) -> bool {
    ["README.md", "ARCHITECTURE.md", "SECURITY.md"].contains(&path)
        || (path.starts_with("docs/book/") && path.ends_with(".md"))
}

/// The crate that applications use, and the command line of loadgen.
fn is_public_rust(path: &str) -> bool {
    let is_tests = path.contains("/tests/") || path.ends_with("/tests.rs");
    path.ends_with(".rs")
        && !is_tests
        && (path.starts_with("nats-geo/src/")
            || path == "loadgen/src/cli.rs"
            || path.starts_with("loadgen/src/") && path.ends_with("/opts.rs"))
}

/// (Line, text) of each paragraph that is no code.
fn paragraphs(markdown: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut is_code, mut goes_on) = (false, false);
    for (number, line) in markdown.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("```") {
            is_code = !is_code;
        }
        let begins = line.starts_with(['*', '-', '#', '|', '>']) || line.starts_with("```");
        if is_code || line.is_empty() || line.starts_with("<!--") || line.starts_with("```") {
            goes_on = false;
            continue;
        }
        match found.last_mut().filter(|_| goes_on && !begins) {
            Some((_, text)) => *text = format!("{text} {line}"),
            None => found.push((number + 1, line.to_owned())),
        }
        goes_on = true;
    }
    found
}

/// (Line, text) of each comment of a TypeScript declaration.
fn comments(source: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some((before, after)) = rest.split_once("/**") {
        let (comment, behind) = after.split_once("*/").unwrap_or((after, ""));
        line += before.matches('\n').count();
        let text: Vec<_> = comment.lines().map(|line| line.trim().trim_start_matches('*').trim()).collect();
        let text = text.join("\n").split("\n@example").next().unwrap_or_default().replace('\n', " ");
        found.push((line, text.trim().to_owned()));
        line += comment.matches('\n').count();
        rest = behind;
    }
    found
}

/// (Line, text) of the documentation and the errors of public items.
fn public_texts(source: &str) -> Vec<(usize, String)> {
    let mut texts = Texts::default();
    let file = syn::parse_file(source).expect("it compiles, so it can be parsed");
    texts.add(&file.attrs);
    texts.visit_file(&file);
    texts.0
}

#[derive(Default)]
struct Texts(Vec<(usize, String)>);

impl Texts {
    fn add(&mut self, attributes: &[Attribute]) {
        let mut documentation = String::new();
        let mut first = None;
        for attribute in attributes {
            let line = attribute.pound_token.spans[0].start().line;
            match &attribute.meta {
                Meta::NameValue(meta) if meta.path.is_ident("doc") => {
                    let Expr::Lit(literal) = &meta.value else { continue };
                    let Lit::Str(text) = &literal.lit else { continue };
                    documentation.push_str(text.value().trim());
                    documentation.push('\n');
                    first.get_or_insert(line);
                }
                Meta::List(list) if list.path.is_ident("error") => {
                    self.0.push((line, error_text(&list.tokens)))
                }
                _ => {}
            }
        }
        let first = first.unwrap_or(1);
        self.0.extend(paragraphs(&documentation).into_iter().map(|(line, text)| (first + line - 1, text)));
    }
}

/// The format, which is the first token; empty of an error that shows another one.
fn error_text(tokens: &TokenStream) -> String {
    let format = tokens.clone().into_iter().next().and_then(|first| syn::parse2::<LitStr>(first.into()).ok());
    format.map(|text| text.value()).unwrap_or_default()
}

/// Visits items whose own documentation is all that there is to read.
macro_rules! visit_public {
    ($($visit:ident $item:ident),*) => {
        $(fn $visit(&mut self, item: &'a syn::$item) {
            if is_public(&item.vis) {
                self.add(&item.attrs);
            }
        })*
    };
}

impl<'a> Visit<'a> for Texts {
    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        if is_public(&item.vis) {
            self.add(&item.attrs);
            item.fields.iter().filter(|field| is_public(&field.vis)).for_each(|field| self.add(&field.attrs));
        }
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        if is_public(&item.vis) {
            self.add(&item.attrs);
            for variant in &item.variants {
                self.add(&variant.attrs);
                variant.fields.iter().for_each(|field| self.add(&field.attrs));
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        let is_test = item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !is_test {
            self.add(&item.attrs);
            syn::visit::visit_item_mod(self, item);
        }
    }

    visit_public!(visit_item_fn ItemFn, visit_item_trait ItemTrait, visit_item_const ItemConst, visit_item_type ItemType);
    visit_public!(visit_impl_item_fn ImplItemFn);
}

const fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        plain(&File::new(path, text))
    }

    #[test]
    fn headless_sentences_and_private_terms_are_found_where_users_read() {
        assert_eq!(found("README.md", "Fine. What waits comes in.\n").len(), 1);
        assert_eq!(found("docs/book/a.md", "* Whoever asks\n\n| x | What it is. |\n").len(), 3);
        assert_eq!(found("nats-geo/src/a.rs", "//! x\n/// It is\n/// of no use.\npub struct A;\n").len(), 1);
        assert_eq!(
            found("nats-geo/src/a.rs", "pub enum A { #[error(\"{0} is useless\")] B(u8) }\n").len(),
            1
        );
        assert_eq!(found("nats-geo/src/a.rs", "impl A { /// What it is.\n pub fn a() {} }\n").len(), 1);
        assert_eq!(found("nats-geo-wasm/js/types/a.d.ts", "/** Is sent again. */\n").len(), 1);
    }

    #[test]
    fn questions_code_and_what_users_do_not_read_are_left_alone() {
        assert!(
            found("README.md", "## What is it?\n\n```sh\nWhat waits.\n```\n`in_doubt` is `of no use`\n")
                .is_empty()
        );
        assert!(
            found("nats-geo/src/a.rs", "/// What it is.\nstruct A;\n/// What it is.\npub(crate) fn a() {}\n")
                .is_empty()
        );
        assert!(found("loadgen/src/run.rs", "/// What it is.\npub struct A;\n").is_empty());
    }
}
