//! The lines of a policy of casbin.

use crate::Error;

/// A line: its number, its kind (`p`, `g`, `g2`, …) and its values.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) kind: String,
    pub(super) values: Vec<String>,
}

pub(super) fn lines(text: &str) -> Result<Vec<Line>, Error> {
    let text = without_spaces_before_values(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).trim(csv::Trim::All).comment(Some(b'#'));
    let mut lines = Vec::new();
    for record in reader.from_reader(text.as_bytes()).records() {
        let record = record.map_err(|error| Error::invalid("policy", error))?;
        let number = record.position().map_or(0, |position| line_of(&text, position));
        let mut values = record.iter().map(str::to_owned);
        let Some(kind) = values.next().filter(|kind| !kind.is_empty()) else { continue };
        lines.push(Line { number, kind, values: values.collect() });
    }
    Ok(lines)
}

/// The line on which a record begins. Its position is before the comments and empty lines in front of it.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let before =
        text.get(start..).unwrap_or_default().lines().take_while(|line| line.is_empty() || line.starts_with('#'));
    (position.line()..).nth(before.count()).unwrap_or_default()
}

/// Removes spaces before values: behind a space, a quotation mark would not begin a quoted value.
fn without_spaces_before_values(text: &str) -> String {
    let (mut is_quoted, mut is_before_value) = (false, true);
    let keep = |c: &char| {
        let drop = is_before_value && matches!(c, ' ' | '\t');
        if !drop {
            is_quoted ^= *c == '"';
            is_before_value = !is_quoted && matches!(c, ',' | '\n');
        }
        !drop
    };
    text.chars().filter(keep).collect()
}
