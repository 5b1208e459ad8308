//! From TOML to its fields, and from a field back to its line.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// Parses, or says in which line what is wrong. `remedy` ends the sentence.
pub(super) fn read<T: DeserializeOwned>(text: &str, remedy: &str) -> Result<T, (Option<usize>, String)> {
    let line = |span: Option<Range<usize>>| span.map(|span| line_at(text, span.start));
    let deserializer = toml::Deserializer::parse(text)
        .map_err(|error| (line(error.span()), format!("no TOML: {}; {remedy}", one_line(error.message()))))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let field = error.path().to_string();
        let reason = error.inner();
        let place = if field == "." { String::new() } else { format!("{field}: ") };
        (line(reason.span()), format!("{place}{}; {remedy}", one_line(reason.message())))
    })
}

fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The line of a field. A kernel without a choice of its own has that of `[tables]`.
pub(super) fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    fn find(table: &DeTable<'_>, path: &[&str]) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
        match value.get_ref() {
            DeValue::Table(inner) if !rest.is_empty() => find(inner, rest),
            _ => rest.is_empty().then(|| key.span().start),
        }
    }
    let document = DeTable::parse(text).ok()?;
    let place = find(document.get_ref(), path).or_else(|| match path {
        ["tables", "kernels", _, field] => find(document.get_ref(), &["tables", field]),
        _ => None,
    });
    place.map(|offset| line_at(text, offset))
}
