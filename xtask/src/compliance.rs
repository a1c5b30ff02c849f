//! docs/compliance.md: the RFCs' rules that concern a back-to-back user agent, each with the tests that exercise it or
//! the deviation that is documented.
//!
//! `xtask/rules/*.txt` holds the rules, one a line: short name, section, level, the rule in our words, and where we
//! deviate the first column of its row in docs/deviations.md. A test names the rules that it exercises in a comment
//! above itself:
//!
//! ```text
//! // Rules: uas-405, uas-405-allow
//! #[test]
//! fn a_method_that_is_not_allowed_is_named_with_those_that_are() {
//! ```
//!
//! A rule with neither, a test that names a rule that nobody wrote down, and a deviation that has no row are errors.

use crate::step::{Failed, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the page stands.
const PAGE: &str = "docs/compliance.md";
/// Where tests are.
const FOLDERS: [&str; 4] = ["proxy", "sim", "rtp-relay", "benches"];
/// How a test names its rules.
const MARK: &str = "// Rules:";
/// What an RFC may say.
const LEVELS: [&str; 4] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT"];

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    name: String,
    section: String,
    level: String,
    text: String,
    /// First column of the row in docs/deviations.md.
    deviation: Option<String>,
}

/// The rules of one RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Book {
    title: String,
    rules: Vec<Rule>,
}

/// A test that exercises rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Story {
    file: String,
    name: String,
}

/// Tests by the rules that they name.
type Stories = BTreeMap<String, BTreeSet<Story>>;

/// Writes the page, or says how it differs from what stands there.
pub(crate) fn run(check: bool) -> Result<(), Failed> {
    let page = page(&root())?;
    let path = root().join(PAGE);
    if check {
        let stands = fs::read_to_string(&path).unwrap_or_default();
        return if stands == page {
            Ok(())
        } else {
            Err(format!("{PAGE} is not what rules and tests say: run `cargo xtask compliance`"))
        };
    }
    fs::write(&path, page).map_err(|e| format!("{PAGE}: {e}"))
}

/// The page as rules, tests and deviations make it.
fn page(root: &Path) -> Result<String, Failed> {
    let books = books(&root.join("xtask/rules"))?;
    let mut stories = Stories::new();
    for folder in FOLDERS {
        for file in sources(&root.join(folder)) {
            let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            collect(&name, &text, &mut stories)?;
        }
    }
    let deviations = deviations(
        &fs::read_to_string(root.join("docs/deviations.md"))
            .map_err(|e| format!("docs/deviations.md: {e}"))?,
    );
    let wrong = complaints(&books, &stories, &deviations);
    if wrong.is_empty() { Ok(write(&books, &stories)) } else { Err(wrong.join("\n")) }
}

/// The rules, a file for each RFC, in the order of their names.
fn books(folder: &Path) -> Result<Vec<Book>, Failed> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        book(&text).map_err(|why| format!("{}: {why}", file.display()))
    };
    files.iter().map(read).collect()
}

/// `# title`, then `name | section | level | rule [| deviation]`.
fn book(text: &str) -> Result<Book, Failed> {
    let mut book = Book { title: String::new(), rules: Vec::new() };
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if let Some(title) = line.strip_prefix("# ") {
            book.title = title.to_owned();
            continue;
        }
        let mut fields = line.split('|').map(|field| field.trim().to_owned());
        let mut next = || fields.next().filter(|field| !field.is_empty());
        let rule = (|| {
            let (name, section, level, text) = (next()?, next()?, next()?, next()?);
            Some(Rule { name, section, level, text, deviation: next() })
        })();
        match rule.filter(|rule| LEVELS.contains(&rule.level.as_str())) {
            Some(rule) => book.rules.push(rule),
            None => return Err(format!("line {} is no rule: {line}", number + 1)),
        }
    }
    Ok(book)
}

/// Finds what tests say of themselves.
fn collect(file: &str, text: &str, stories: &mut Stories) -> Result<(), Failed> {
    let (mut named, mut is_test): (Vec<&str>, bool) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(rules) = line.strip_prefix(MARK) {
            named.extend(rules.split(',').map(str::trim).filter(|rule| !rule.is_empty()));
        } else if line == "#[test]" {
            is_test = true;
        } else if !line.starts_with("//") && !line.starts_with("#[") {
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if !named.is_empty() {
                let Some(name) = name.filter(|_| is_test) else {
                    return Err(format!(
                        "{file}:{}: rules are named above something that is no test",
                        number + 1
                    ));
                };
                let story = Story { file: file.to_owned(), name: name.to_owned() };
                for rule in named.drain(..) {
                    stories.entry(rule.to_owned()).or_default().insert(story.clone());
                }
            }
            is_test = false;
        }
    }
    Ok(())
}

/// First columns of the table of deviations.
fn deviations(text: &str) -> BTreeSet<String> {
    let cell = |line: &str| {
        line.strip_prefix('|').and_then(|rest| rest.split('|').next().map(str::trim).map(str::to_owned))
    };
    text.lines().filter_map(cell).collect()
}

/// Everything that keeps the page from being true.
fn complaints(books: &[Book], stories: &Stories, deviations: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for rule in books.iter().flat_map(|book| &book.rules) {
        if !known.insert(rule.name.as_str()) {
            wrong.push(format!("{}: two rules have this name", rule.name));
        }
        match &rule.deviation {
            Some(row) if !deviations.contains(row) => {
                wrong.push(format!("{}: docs/deviations.md has no row `{row}`", rule.name));
            }
            None if !stories.contains_key(&rule.name) => {
                wrong.push(format!("{}: no test names it, and no deviation", rule.name));
            }
            Some(_) | None => {}
        }
    }
    let strangers = stories.iter().filter(|(rule, _)| !known.contains(rule.as_str()));
    wrong.extend(strangers.map(|(rule, by)| format!("{rule}: no such rule, but {by:?} names it")));
    wrong
}

/// The page.
fn write(books: &[Book], stories: &Stories) -> String {
    let mut out = String::from(
        "# Compliance\n\n\
         Made by `cargo xtask compliance` from `xtask/rules/`, from what tests say of themselves and from \
         [deviations.md](deviations.md): do not edit. A test of xtask fails where this page is not up to date, and where \
         a rule has neither a test nor a deviation. The rules are those that concern a back-to-back user agent, in our \
         words; registrars, proxies, redirect servers and authentication are left out, and so is what only a person or \
         a phone can do.\n",
    );
    let count = |level: &str| {
        books.iter().flat_map(|book| &book.rules).filter(|r| r.level.starts_with(level)).count()
    };
    let deviating = books.iter().flat_map(|book| &book.rules).filter(|rule| rule.deviation.is_some()).count();
    let (must, should) = (count("MUST"), count("SHOULD"));
    let _ = writeln!(out, "\n{must} MUST, {should} SHOULD; {deviating} of them with a deviation.");
    for book in books {
        let _ = writeln!(
            out,
            "\n## {}\n\n| § | | rule | name | exercised by |\n|---|---|---|---|---|",
            book.title
        );
        for rule in &book.rules {
            let mut by: Vec<String> = stories
                .get(&rule.name)
                .into_iter()
                .flatten()
                .map(|story| format!("`{}` {}", short(&story.file), story.name.replace('_', " ")))
                .collect();
            by.extend(rule.deviation.iter().map(|row| format!("**deviation**: {row}")));
            let Rule { name, section, level, text, .. } = rule;
            let _ = writeln!(out, "| {section} | {level} | {text} | `{name}` | {} |", by.join("; "));
        }
    }
    out
}

/// A file's path without what all of them have.
fn short(file: &str) -> &str {
    file.strip_suffix(".rs").unwrap_or(file)
}

/// Every Rust file under a folder, build products left out.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "# RFC 1\n\na-rule | 1.2 | MUST | do it\nanother | 3 | SHOULD | do that | laziness\n";

    fn told(text: &str) -> Stories {
        let mut stories = Stories::new();
        collect("x.rs", text, &mut stories).unwrap();
        stories
    }

    #[test]
    fn a_rule_without_a_test_and_without_a_deviation_is_named() {
        let books = [book(RULES).unwrap()];
        let rows = BTreeSet::from(["laziness".to_owned()]);
        let tested = told("// Rules: a-rule\n#[test]\nfn it_is_done() {\n");
        assert_eq!(complaints(&books, &tested, &rows), Vec::<String>::new());
        assert!(complaints(&books, &Stories::new(), &rows)[0].starts_with("a-rule: no test"));
        assert!(complaints(&books, &tested, &BTreeSet::new())[0].starts_with("another: docs/deviations.md"));
    }

    #[test]
    fn a_test_that_names_a_rule_that_nobody_wrote_down_is_named() {
        let books = [book(RULES).unwrap()];
        let rows = BTreeSet::from(["laziness".to_owned()]);
        let tested = told("// Rules: a-rule, arule\n#[test]\nfn it_is_done() {\n");
        assert!(complaints(&books, &tested, &rows)[0].starts_with("arule: no such rule"));
    }

    #[test]
    fn rules_named_above_anything_but_a_test_are_an_error() {
        let mut stories = Stories::new();
        assert!(collect("x.rs", "// Rules: a-rule\nfn helper() {\n", &mut stories).is_err());
        assert!(collect("x.rs", "// Rules: a-rule\n#[test]\nfn story() {\n", &mut stories).is_ok());
    }

    #[test]
    fn the_page_says_what_rules_tests_and_deviations_say() {
        run(true).unwrap();
    }

    #[test]
    fn a_line_that_is_no_rule_is_an_error() {
        assert!(book("# RFC 1\nname | 1 | MAY | do it\n").is_err());
        assert!(book("# RFC 1\nname | 1 | MUST\n").is_err());
    }
}
