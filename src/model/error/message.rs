//! The sentence of an error: the problem, then the reason, then the advice.

use std::fmt::{self, Display, Formatter};

use super::{
    Asked, AskedBy, DidYouMean, EntityKind, Error, ErrorKind, Inner, MissingRight, Quoted, RelationKind, RightKind,
};

/// How many mistakes or violations a sentence lists.
const MOST_LISTED: usize = 8;

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.detail())?;
        self.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl Error {
    /// The sentence without the advice.
    pub(super) fn detail(&self) -> impl Display + '_ {
        Detail(&self.0)
    }
}

struct Detail<'a>(&'a Inner);

impl Display for Detail<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(inner) = self;
        if let Some(preface) = inner.preface {
            write!(f, "{preface}: ")?;
        }
        match &inner.problem {
            Some(problem) => f.write_str(problem)?,
            None => inner.problem(f)?,
        }
        if let (Some(reason), false) = (&inner.reason, inner.problem_has_reason()) {
            write!(f, ": {}", shown_reason(reason))?;
        }
        f.write_str(inner.what_was_changed())?;
        if let Some(name) = &inner.derived_from {
            write!(f, "; the slug was derived from the name {}", Quoted(name))?;
        }
        // Not everyone who may ask about a user may see the keys of other users.
        let Some(asked) = inner.unknown_name().filter(|_| inner.entity != Some(EntityKind::User)) else {
            return Ok(());
        };
        match inner.suggestions.names(asked) {
            [] => Ok(()),
            _ if inner.suggestions.advice(asked).is_some() => Ok(()),
            names => write!(f, "; {}", DidYouMean { asked, names }),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

/// Escapes and cuts a reason: a text of a store may have line breaks, and may be long.
fn shown_reason(reason: &str) -> String {
    super::escaped(reason, 1_000)
}

impl Inner {
    /// The slug or key that was not found.
    pub(super) fn unknown_name(&self) -> Option<&str> {
        let name = self.name.as_ref().and_then(Asked::name)?;
        (self.kind == ErrorKind::NotFound && self.relation.is_none()).then_some(name)
    }

    /// Whether the sentence of the problem has the reason in it.
    fn problem_has_reason(&self) -> bool {
        match self.kind {
            ErrorKind::Rejected | ErrorKind::Escalation => true,
            // A change that does not apply, of a plan that was to be rebased.
            ErrorKind::Stale => self.entity.is_some(),
            _ => false,
        }
    }

    /// Says that nothing was changed. Other kinds refuse what the caller asked for, and need not say so.
    fn what_was_changed(&self) -> &'static str {
        const NOTHING: &str = "; nothing was changed";
        match self.kind {
            // The commit in doubt may have been applied.
            ErrorKind::Blocked => "; this call changed nothing",
            // A staged commit has its own words: its transaction can have changed other rows.
            ErrorKind::Conflict if self.problem.is_some() => "",
            ErrorKind::Conflict | ErrorKind::Unavailable | ErrorKind::TooLarge => NOTHING,
            // A load that fails can take the tenant out of service.
            ErrorKind::Corrupt | ErrorKind::UnsupportedRecord if self.is_refused_commit => NOTHING,
            _ => "",
        }
    }

    /// What to do about an error of this kind, unless its problem is described in other words.
    pub(super) fn advice_of_kind(&self) -> Option<&'static str> {
        match self.kind {
            _ if self.problem.is_some() => None,
            ErrorKind::NestedUpdate => Some("make it after the update"),
            ErrorKind::Conflict => Some("try again"),
            ErrorKind::Blocked => Some("try again later"),
            ErrorKind::Closed => Some("open it again"),
            ErrorKind::TooManyEntities => Some("close it and open it again if most were deleted"),
            _ => None,
        }
    }

    fn problem(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Invalid => self.invalid(f),
            ErrorKind::NotFound => match (&self.relation, self.entity, &self.name) {
                (None, Some(entity), Some(asked)) => f.write_str(&asked.missing(entity)),
                _ => write!(f, "{} not found", self.subject()),
            },
            // The id may belong to an entity of another kind.
            ErrorKind::AlreadyExists => match &self.name {
                Some(Asked { text, by: AskedBy::Id }) => write!(f, "id {} is already in use", Quoted(text)),
                _ if self.is_unusable => write!(f, "{} cannot be used", self.subject()),
                _ => write!(f, "{} already exists", self.subject()),
            },
            ErrorKind::Cycle => match self.entity {
                Some(entity) => write!(f, "cycle of {entity}s: {}", self.cycle.of(entity)),
                None => f.write_str(sentence(ErrorKind::Cycle)),
            },
            ErrorKind::WindowMismatch => {
                let window = self.found.as_deref().unwrap_or_default();
                write!(f, "{} already exists with another window ({window})", self.subject())
            }
            ErrorKind::ReadOnly => {
                write!(f, "{} belongs to the catalog and cannot be changed by a tenant", self.subject())
            }
            ErrorKind::CatalogConflict => {
                let (subject, id) = (self.subject(), Quoted(self.found.as_deref().unwrap_or_default()));
                write!(f, "{subject} belongs to the tenant, with the id {id}, and to the catalog")
            }
            ErrorKind::Reserved => {
                let prefix = Quoted(self.reserved_prefix.as_deref().unwrap_or_default());
                write!(f, "{} begins with {prefix}, which the catalog reserves", self.subject())
            }
            ErrorKind::Document => self.list(f, "invalid document", &self.mistakes),
            ErrorKind::Corrupt if self.violations.is_empty() => f.write_str("corrupt store content or commit"),
            ErrorKind::Corrupt => self.list(f, "store content breaks invariants", &self.violations),
            ErrorKind::InDoubt => match self.commit {
                Some(commit) => write!(f, "outcome of commit {commit} is not known"),
                None => f.write_str("outcome of the commit is not known"),
            },
            ErrorKind::Blocked => match self.commit {
                Some(commit) => write!(f, "blocked by commit {commit}, which is in doubt or staged"),
                None => f.write_str("blocked by a commit that is in doubt or staged"),
            },
            ErrorKind::Managed => self.managed(f),
            ErrorKind::Escalation => self.escalation(f),
            ErrorKind::SeparationOfDuties => match &self.separation {
                Some(violation) if violation.in_session => violation.fmt(f),
                Some(violation) => write!(f, "refused: after this change, {violation}"),
                None => f.write_str(sentence(ErrorKind::SeparationOfDuties)),
            },
            ErrorKind::AssertionFailed => match &self.assertion {
                Some(violation) => write!(f, "refused: after this change, {violation}"),
                None => f.write_str(sentence(ErrorKind::AssertionFailed)),
            },
            ErrorKind::Rejected => f.write_str(&shown_reason(self.reason.as_deref().unwrap_or("rejected"))),
            ErrorKind::Stale if self.entity.is_some() => {
                let reason = shown_reason(self.reason.as_deref().unwrap_or("has changed"));
                write!(f, "{}: {} {reason}", sentence(ErrorKind::Stale), self.subject())
            }
            other => f.write_str(sentence(other)),
        }
    }

    fn escalation(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let has = |kind| self.missing_rights.iter().any(|right| right.kind == kind);
        let is_right =
            |right: &MissingRight| !matches!(right.kind, RightKind::LooserSeparation | RightKind::LooserAssertion);
        let has_rights = self.missing_rights.is_empty() || self.missing_rights.iter().any(is_right);
        let parts = [
            (has_rights, "give rights that they do not hold"),
            (has(RightKind::LooserSeparation), "loosen a separation of duties"),
            (has(RightKind::LooserAssertion), "loosen a binding assertion"),
        ];
        let parts = parts.into_iter().filter(|(is_part, _)| *is_part).map(|(_, text)| text);
        let refused = parts.collect::<Vec<_>>().join(", or ");
        let problem = format!("{}{reason} cannot {refused}", self.subject());
        self.list(f, &problem, &self.missing_rights)
    }

    fn invalid(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let found = self.found.as_deref().unwrap_or_default();
        write!(f, "invalid {} {}", self.what.unwrap_or("text"), Quoted(found))?;
        if let (Some(entity), Some(asked)) = (self.entity, &self.name) {
            write!(f, " of {}", asked.of(entity))?;
        }
        let Some(expected) = &self.expected else { return Ok(()) };
        write!(f, ": expected {expected}")?;
        self.length.map_or(Ok(()), |length| write!(f, ", found {length} bytes"))
    }

    fn managed(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let manager = Quoted(self.manager.as_deref().unwrap_or_default());
        let Some(relation) = &self.relation else {
            let says = if self.is_given { "cannot be given to" } else { "is managed by" };
            return write!(f, "{} {says} {manager}", self.subject());
        };
        let (from, to) = (Quoted(&relation.name), Quoted(self.name.as_ref().map_or("", |asked| &asked.text)));
        let (problem, what) = match relation.kind {
            RelationKind::Parent => (format!("group {to} is a parent of group {from}"), "parent link"),
            _ => (format!("user {from} is a member of group {to}"), "membership"),
        };
        write!(f, "{problem}, which is managed by {manager}")?;
        write!(f, "; only a change that acts for {manager} may remove this {what}")
    }

    fn subject(&self) -> String {
        match (&self.relation, self.entity, &self.name) {
            (Some(relation), _, name) => relation.to(name.as_ref().map_or("", |asked| &asked.text)).to_string(),
            (None, Some(entity), Some(asked)) => asked.of(entity).to_string(),
            (None, Some(entity), None) => entity.to_string(),
            (None, None, Some(asked)) => Quoted(&asked.text).to_string(),
            (None, None, None) => "entity".to_owned(),
        }
    }

    fn list(&self, f: &mut Formatter<'_>, problem: &str, items: &[impl Display]) -> fmt::Result {
        f.write_str(problem)?;
        for (n, item) in items.iter().take(MOST_LISTED).enumerate() {
            write!(f, "{}{item}", if n == 0 { ": " } else { "; " })?;
        }
        match items.len().saturating_sub(MOST_LISTED) + self.unlisted {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// The sentence of a kind without data, or the start of one whose data follows.
const fn sentence(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NestedUpdate => {
            "a call that needs the store was made inside the closure of an update, on the same thread"
        }
        ErrorKind::Stale => "the tenant has changed since the plan was made",
        ErrorKind::ForeignPlan => {
            "the plan was made by another tenant, or before this tenant was closed and opened again"
        }
        ErrorKind::Conflict => "other writers committed first at every attempt",
        ErrorKind::Unavailable => "store unavailable",
        ErrorKind::TooLarge => "commit is larger than the store accepts",
        ErrorKind::UnsupportedRecord => "store does not support a kind of record",
        ErrorKind::Closed => "tenant is closed",
        ErrorKind::Deleted => "tenant was deleted",
        ErrorKind::TooManyEntities => "the tenant has had too many entities of one kind since it was opened",
        ErrorKind::NotInHistory => "the history does not have this state",
        ErrorKind::Internal => "internal invariant broken",
        other => other.title(),
    }
}
