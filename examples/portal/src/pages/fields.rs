//! The fields of a form, and the reason why a change was refused.

use std::time::Duration;

use axum::http::StatusCode;
use rolecall::{EntityKind, Error, ErrorKind, Timestamp, Window};
use rolecall_axum::Problem;

use super::layout::Mistake;

/// So many users, or roles, at most in one form.
const MOST_CHOSEN: usize = 500;

/// The fields of a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// Whether the change is only to be previewed.
    pub(super) fn is_preview(&self) -> bool {
        self.get("step") == "preview"
    }

    /// The same form, sent to be previewed.
    pub(super) fn previewed(&self) -> Self {
        let others = self.0.iter().filter(|(name, _)| name != "step").cloned();
        Self(others.chain([("step".to_owned(), "preview".to_owned())]).collect())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The ids in all fields with this name. The same id twice counts once.
    fn ids<T: std::str::FromStr<Err = Error> + PartialEq>(&self, name: &str) -> Result<Vec<T>, Refusal> {
        let mut ids = Vec::new();
        for text in self.all(name) {
            let id = text.parse()?;
            if !ids.contains(&id) {
                ids.push(id);
            }
            if ids.len() > MOST_CHOSEN {
                return Err(Refusal::mistake(None, format!("Choose at most {MOST_CHOSEN} at once")));
            }
        }
        Ok(ids)
    }

    /// The ids in all fields with this name, at least one. `what` says what to choose.
    pub(super) fn some_ids<T: std::str::FromStr<Err = Error> + PartialEq>(
        &self,
        name: &str,
        what: &str,
    ) -> Result<Vec<T>, Refusal> {
        let ids = self.ids(name)?;
        if ids.is_empty() {
            return Err(Refusal::mistake(None, format!("Choose at least one {what}")));
        }
        Ok(ids)
    }

    /// The text of a field that must not be empty.
    pub(super) fn required(&self, name: &'static str, otherwise: &str) -> Result<&str, Refusal> {
        match self.get(name) {
            "" => Err(Refusal::mistake(Some(name), otherwise)),
            text => Ok(text),
        }
    }

    /// The text of a field, if it is not empty.
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|text| !text.is_empty())
    }

    /// The window from the day in the field `from` to the day in the field `until`, both included.
    pub(super) fn window(&self, now: Timestamp) -> Result<Window, Refusal> {
        self.window_instead_of(Window::ALWAYS, now)
    }

    /// The same, instead of another window. A field that shows the day of the other window keeps its exact instant.
    pub(super) fn window_instead_of(&self, before: Window, now: Timestamp) -> Result<Window, Refusal> {
        let start = if self.get("from") == first_day(before) { before.start() } else { midnight(self, "from")? };
        let end = if self.get("until") == last_day(before) {
            before.end()
        } else {
            midnight(self, "until")?.map(|day| day.saturating_add(ONE_DAY))
        };
        if end != before.end() && end.is_some_and(|end| end <= now) {
            return Err(Refusal::mistake(Some("until"), "The last day is in the past"));
        }
        if matches!((start, end), (Some(start), Some(end)) if end <= start) {
            return Err(Refusal::mistake(Some("until"), "The last day is before the first day"));
        }
        Ok(Window::new(start, end)?)
    }
}

const ONE_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The beginning of the day in a field.
fn midnight(fields: &Fields, field: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let day = fields.get(field);
    if day.is_empty() {
        return Ok(None);
    }
    let wrong = |_| Refusal::mistake(Some(field), "Enter a day as 2027-01-31");
    Timestamp::parse(&format!("{day}T00:00:00Z")).map(Some).map_err(wrong)
}

/// The first day of a window, as the field `from` has it.
pub(super) fn first_day(window: Window) -> String {
    window.start().map(day).unwrap_or_default()
}

/// The last day of a window, as the field `until` has it.
pub(super) fn last_day(window: Window) -> String {
    window.end().map(|end| day(end.saturating_sub(Duration::from_micros(1)))).unwrap_or_default()
}

fn day(at: Timestamp) -> String {
    at.to_string().split('T').next().unwrap_or_default().to_owned()
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The form has mistakes, or a rule forbids the change.
    Mistakes(StatusCode, Vec<Mistake>),
    /// The guard: the change would give rights that the user lacks.
    Escalation(Error),
    /// Somebody else has changed it meanwhile.
    Conflict(String),
    /// Another answer.
    Problem(Problem),
}

impl Refusal {
    pub(super) fn mistake(field: Option<&'static str>, text: impl Into<String>) -> Self {
        Self::Mistakes(StatusCode::UNPROCESSABLE_ENTITY, vec![Mistake { field, text: text.into() }])
    }
}

/// The part of a refusal by the guard that a form shows. It names the missing rights only to those who may read roles.
pub(super) fn escalation(error: &Error, reads_roles: bool) -> (StatusCode, Vec<Mistake>) {
    let text = if reads_roles { error.to_string() } else { "this would give rights that you do not hold".to_owned() };
    let mistake = Mistake { field: None, text: super::layout::capitalised(&text) };
    (rolecall_axum::status_of(error.kind()), vec![mistake])
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = rolecall_axum::status_of(error.kind());
        if status.is_server_error() || error.kind() == ErrorKind::Deleted {
            return Self::Problem(error.into());
        }
        let text = super::layout::capitalised(&error.to_string());
        match error.kind() {
            ErrorKind::NotFound => Self::Conflict(text),
            ErrorKind::Escalation => Self::Escalation(error),
            kind => {
                let field = match (kind, error.what().unwrap_or_default()) {
                    (ErrorKind::AlreadyExists, _) if error.entity() == Some(EntityKind::User) => Some("key"),
                    (ErrorKind::AlreadyExists, _) if error.relation().is_none() => Some("slug"),
                    (ErrorKind::Invalid, what) if what.contains("key") => Some("key"),
                    (ErrorKind::Invalid, what) if what.contains("slug") => Some("slug"),
                    (ErrorKind::Invalid, what) if what.contains("category") => Some("category"),
                    (ErrorKind::Invalid, what) if what.contains("pattern") => Some("grant"),
                    (ErrorKind::Invalid, what) if what.contains("description") => Some("description"),
                    (ErrorKind::Invalid, what) if what.contains("name") => Some("name"),
                    _ => None,
                };
                Self::Mistakes(status, vec![Mistake { field, text }])
            }
        }
    }
}
