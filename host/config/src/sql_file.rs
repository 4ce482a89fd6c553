//! A migration from a plain SQL file, with headers and sections in comments.
//!
//! `-- whimbrel:up` and `-- whimbrel:down` begin sections; without either the whole file is up. `-- whimbrel:database
//! NAME` and `-- whimbrel:depends-on NAME[, NAME]` come before the first section. `-- whimbrel:allow RULE REASON` may
//! stand anywhere: lint reads it, and before the first section it is no part of the SQL, so that it can be added to
//! what is applied already.

use std::ops::Range;

use whimbrel_core::definition::{Action, Checks, Migration, Origin, SqlAction, Step};
use whimbrel_core::name::{DatabaseName, MigrationName};

use crate::check::refused;
use crate::document::Document;
use crate::migrations::{Read, Text};
use crate::node::{Way, way};
use crate::problem::{Problem, alternatives};
use crate::shape::Format;
use crate::source::Source;

const DIRECTIVES: [&str; 6] = [
    "up",
    "down",
    "database",
    "depends-on",
    "allow",
    "allow-credential",
];

/// What other tools write into SQL files; taken for comments, their downs would be applied as ups.
const FOREIGN: [(&str, &str); 5] = [
    ("-- +goose", "goose"),
    ("-- +migrate", "sql-migrate"),
    ("-- migrate:up", "dbmate"),
    ("-- migrate:down", "dbmate"),
    ("--liquibase formatted sql", "Liquibase"),
];

/// Reads a file; what is wrong is said in `problems`.
pub fn read(source: Source, stem: &str, problems: &mut Vec<Problem>) -> Option<Read> {
    let before = problems.len();
    let name = read_name(&source, stem, problems);
    let sections = Sections::read(&source, problems);
    if problems.len() > before {
        return None;
    }
    let up = trimmed(&source.text, sections.up.clone());
    let line = |span: &Range<usize>| u32::try_from(source.line(span.start)).unwrap_or(u32::MAX);
    if blank(source.slice(&up)) {
        let at = sections.up.start.saturating_sub(1);
        source
            .problem(&(at..at), "the migration is empty")
            .expected("SQL, after `-- whimbrel:up` if there are sections")
            .push(problems);
        return None;
    }
    let down = sections.down.map(|down| trimmed(&source.text, down));
    let origin = |span: &Range<usize>| Origin {
        path: source.path.clone(),
        line: line(span),
    };
    let text = |way: Way, span: &Range<usize>| {
        let sql = source.slice(span);
        // Only placeholders are looked for later.
        sql.contains("${").then(|| Text {
            way,
            line: line(span),
            sql: sql.to_owned(),
            file: Some(source.clone()),
        })
    };
    let mut texts = Vec::new();
    texts.extend(text(way!["up"], &up));
    texts.extend(down.as_ref().and_then(|down| text(way!["down"], down)));
    let action = SqlAction {
        sql: source.slice(&up).to_owned(),
        revert: down.as_ref().map(|down| source.slice(down).to_owned()),
        file: Some(origin(&up)),
        revert_file: down.as_ref().map(origin),
    };
    Some(Read {
        database: sections.database,
        checksum: None,
        migration: Migration {
            name: name?,
            // Set once the defaults are known.
            database: "unknown".parse().ok()?,
            depends_on: sections.depends_on,
            steps: vec![Step {
                name: None,
                action: Action::Sql(action),
                timeout: None,
            }],
            checks: Checks::default(),
            metrics: Vec::new(),
            origin: Origin {
                path: source.path.clone(),
                line: 1,
            },
        },
        document: Document::with_headers(source, sections.headers),
        texts,
    })
}

fn read_name(source: &Source, stem: &str, problems: &mut Vec<Problem>) -> Option<MigrationName> {
    for ending in [".up", ".down"] {
        if stem.ends_with(ending) {
            Problem::whole(
                &source.path,
                format!("the file's name ends in `{ending}.sql`, as another tool's do"),
            )
            .expected("both directions in one file, under `-- whimbrel:up` and `-- whimbrel:down`")
            .push(problems);
            return None;
        }
    }
    match stem.parse() {
        Ok(name) => Some(name),
        Err(_) => {
            let slug: String = stem
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') {
                        c
                    } else {
                        '-'
                    }
                })
                .collect();
            let slug = slug.trim_matches(['-', '.', '_']);
            let expected = Format::Name.refuse(stem).map(|refusal| refusal.expected);
            let problem = Problem::whole(&source.path, "the file's name is no name of a migration")
                .expected(expected.unwrap_or_default());
            if slug.is_empty() {
                problem
            } else {
                problem.suggest(format!("rename it to `{slug}.sql`"))
            }
            .push(problems);
            None
        }
    }
}

#[derive(Default)]
struct Sections {
    up: Range<usize>,
    down: Option<Range<usize>>,
    database: Option<DatabaseName>,
    depends_on: Vec<MigrationName>,
    headers: Vec<(Way, Range<usize>)>,
}

/// A line `-- whimbrel:WORD REST`.
struct Directive<'a> {
    word: &'a str,
    word_span: Range<usize>,
    rest: &'a str,
    rest_start: usize,
    line: Range<usize>,
}

impl Sections {
    fn read(source: &Source, problems: &mut Vec<Problem>) -> Self {
        let mut sections = Self::default();
        let mut current: Option<&'static str> = None;
        let (mut start, mut up) = (0, None);
        let mut offset = 0;
        for line in source.text.split_inclusive('\n') {
            let span = offset..offset + line.len();
            offset = span.end;
            refuse_foreign(source, line, &span, problems);
            let Some(directive) = directive(line, &span) else {
                continue;
            };
            match directive.word {
                "up" | "down" => {
                    let word = if directive.word == "up" { "up" } else { "down" };
                    let seen = if word == "up" {
                        up.is_some()
                    } else {
                        sections.down.is_some()
                    };
                    if seen || current == Some(word) {
                        source
                            .problem(
                                &directive.word_span,
                                format!("there are two `{word}` sections"),
                            )
                            .expected("one of each")
                            .push(problems);
                    }
                    match current {
                        None => sections.check_head(source, start, &directive, problems),
                        Some("up") => up = Some(start..span.start),
                        Some(_) => sections.down = Some(start..span.start),
                    }
                    current = Some(word);
                    start = span.end;
                }
                "database" | "depends-on" if current.is_some() => source
                    .problem(
                        &directive.word_span,
                        format!("`{}` comes after a section began", directive.word),
                    )
                    .expected("headers before the first section")
                    .push(problems),
                "database" | "depends-on" => {
                    sections.header(source, &directive, problems);
                    start = span.end;
                }
                "allow" | "allow-credential" => {
                    let before = source.text.get(start..span.start).unwrap_or_default();
                    if current.is_none() && blank(before) {
                        start = span.end;
                    }
                }
                other => source
                    .problem(
                        &directive.word_span,
                        format!("unknown directive `whimbrel:{other}`"),
                    )
                    .expected(alternatives(DIRECTIVES))
                    .nearest(other, DIRECTIVES)
                    .push(problems),
            }
        }
        let last = start..source.text.len();
        match current {
            Some("down") => sections.down = Some(last),
            _ => up = Some(last),
        }
        match up {
            Some(up) => sections.up = up,
            None => {
                let at = sections
                    .down
                    .as_ref()
                    .map_or(0, |down| down.start.saturating_sub(1));
                source
                    .problem(&(at..at), "there is a `down` section, and no `up`")
                    .expected("`-- whimbrel:up` and SQL")
                    .push(problems);
            }
        }
        sections
    }

    /// Nothing but comments stands before the first section.
    fn check_head(
        &self,
        source: &Source,
        start: usize,
        first: &Directive<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let head = trimmed(&source.text, start..first.line.start);
        let mut offset = head.start;
        for line in source.slice(&head).split_inclusive('\n') {
            if !blank(line) {
                // Where only `down` is marked, what stands before it is meant to be `up`.
                let expected = if first.word == "down" {
                    "`-- whimbrel:up` before it".to_owned()
                } else {
                    format!("it to come after `-- whimbrel:{}`", first.word)
                };
                source
                    .problem(
                        &(offset..offset + line.trim_end().len()),
                        "SQL stands before the first section",
                    )
                    .expected(expected)
                    .push(problems);
                return;
            }
            offset += line.len();
        }
    }

    fn header(&mut self, source: &Source, directive: &Directive<'_>, problems: &mut Vec<Problem>) {
        let mut start = directive.rest_start;
        for part in directive.rest.split(',') {
            let word = part.trim();
            let at = start + part.len() - part.trim_start().len();
            let span = at..at + word.len();
            start += part.len() + 1;
            if let Some(refusal) = Format::Name.refuse(word) {
                let problem = if word.is_empty() {
                    let message = format!("`whimbrel:{}` names nothing here", directive.word);
                    source.problem(&span, message).expected("a name")
                } else {
                    let message = refused(word, &refusal.what);
                    source.problem(&span, message).expected(refusal.expected)
                };
                problems.push(problem);
            } else if directive.word == "depends-on" {
                let index = self.depends_on.len();
                self.depends_on.extend(word.parse());
                self.headers.push((way!["spec", "dependsOn", index], span));
            } else if self.database.is_some() {
                source
                    .problem(&span, "the database is given twice")
                    .expected("one database")
                    .push(problems);
            } else {
                self.database = word.parse().ok();
                self.headers.push((way!["spec", "database"], span));
            }
        }
    }
}

fn directive<'a>(line: &'a str, span: &Range<usize>) -> Option<Directive<'a>> {
    let comment = line.trim_start().strip_prefix("--")?;
    // After `allow` follow words of a person, who may well leave a blank before it.
    let text = comment.trim_start().strip_prefix("whimbrel:")?;
    let blank_allow = text.trim_start();
    let text = if blank_allow.starts_with("allow") {
        blank_allow
    } else {
        text
    };
    let text_start = span.start + line.len() - text.len();
    let length = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(length);
    let rest = rest.trim_end();
    Some(Directive {
        word,
        word_span: text_start..text_start + length,
        rest,
        rest_start: text_start + length,
        line: span.clone(),
    })
}

fn refuse_foreign(source: &Source, line: &str, span: &Range<usize>, problems: &mut Vec<Problem>) {
    for (mark, tool) in FOREIGN {
        if line.trim_start().starts_with(mark) {
            let start = span.start + line.len() - line.trim_start().len();
            source
                .problem(
                    &(start..start + line.trim().len()),
                    format!("this is how {tool} marks its files"),
                )
                .expected("`-- whimbrel:up` and `-- whimbrel:down`")
                .suggest("without them, all of the file, its down too, would be applied")
                .push(problems);
        }
    }
}

/// A range without blank lines before and blanks after.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let inside = text.get(span.clone()).unwrap_or_default();
    let content = inside.trim_start();
    if content.is_empty() {
        return span.start..span.start;
    }
    // Whole lines only: the first line's indentation stays.
    let lead = inside.len() - content.len();
    let line = inside
        .get(..lead)
        .and_then(|blank| blank.rfind('\n'))
        .map_or(0, |newline| newline + 1);
    span.start + line..span.start + inside.trim_end().len()
}

/// Whether a text holds nothing but blanks and line comments.
fn blank(text: &str) -> bool {
    text.lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with("--"))
}
