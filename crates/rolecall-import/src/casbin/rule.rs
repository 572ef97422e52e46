//! A rule of a policy: the conditions of one `p` line.

use super::model::{Comparison, Test};
use super::policy::Line;

/// The condition of a rule on one part of a request: the subject, the object or the action.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Is(String),
    BeginsWith(String),
    Any,
}

impl Value {
    pub(super) fn matches(&self, asked: &str) -> bool {
        match self {
            Self::Is(text) => text == asked,
            Self::BeginsWith(prefix) => asked.starts_with(prefix),
            Self::Any => true,
        }
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(text), other) | (other, Self::Is(text)) => other.matches(text),
            (Self::BeginsWith(one), Self::BeginsWith(two)) => one.starts_with(two) || two.starts_with(one),
            _ => true,
        }
    }

    pub(super) fn pattern(&self) -> String {
        match self {
            Self::Is(text) => text.clone(),
            Self::BeginsWith(prefix) => format!("{prefix}*"),
            Self::Any => "*".to_owned(),
        }
    }
}

pub(super) struct Rule {
    pub(super) line: u64,
    /// `None` if it is about everybody.
    pub(super) subject: Option<String>,
    pub(super) asked: Vec<Value>,
}

impl Rule {
    /// Returns the parts that are asked for, if the rule has no wildcard.
    pub(super) fn literals(&self) -> Option<Vec<String>> {
        let literal = |value: &Value| match value {
            Value::Is(text) => Some(text.clone()),
            _ => None,
        };
        self.asked.iter().map(literal).collect()
    }
}

/// Returns the condition of a line on one part of a request. `None` if it cannot be carried over. A rule that denies then
/// denies everything.
pub(super) fn value(part: &Comparison, line: &Line, denies: bool) -> Option<Value> {
    let Some(text) = part.column.and_then(|column| line.values.get(column)) else { return Some(Value::Any) };
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/'));
    match part.test {
        _ if part.star_is_any && text == "*" => Some(Value::Any),
        Test::KeyMatch => match text.split_once('*') {
            Some((prefix, _)) => Some(Value::BeginsWith(prefix.to_owned())),
            None => Some(Value::Is(text.clone())),
        },
        Test::Function if denies => Some(Value::Any),
        Test::Function => is_word.then(|| Value::Is(text.clone())),
        Test::Equal => Some(Value::Is(text.clone())),
    }
}
