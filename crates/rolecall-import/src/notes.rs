//! Notes: the differences between the document and the source, and what to do about them.

use std::fmt;

/// One thing that was left out, renamed or expressed in another way.
///
/// ```
/// let realm = r#"{
///     "realm": "acme",
///     "roles": {"realm": [{"name": "Team lead"}]},
///     "users": [{"username": "alice", "enabled": true}]
/// }"#;
/// let imported = rolecall_import::keycloak::read(&[realm], None)?;
/// assert_eq!(imported.notes()[0].to_string(), "renamed: role `Team lead`: the slug is `team-lead`");
/// # Ok::<(), rolecall_import::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Note {
    /// The treatment of the entry.
    pub kind: NoteKind,
    /// The subject of the note: a line, a row or an entity of the source.
    pub place: String,
    /// The difference.
    pub message: String,
    /// How to have the same in rolecall, if there is something to do.
    pub advice: Option<String>,
}

/// The treatment of an entry of the source.
///
/// ```
/// assert_eq!(rolecall_import::NoteKind::LeftOut.to_string(), "left out");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NoteKind {
    /// The document does not have it, so users may do less than before.
    LeftOut,
    /// The document has it in another form.
    Changed,
    /// The document has it under another name.
    Renamed,
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeftOut => "left out",
            Self::Changed => "changed",
            Self::Renamed => "renamed",
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind, self.place, self.message)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// The notes of one import, as they are collected.
#[derive(Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    pub(crate) fn left_out(&mut self, place: impl fmt::Display, message: impl fmt::Display, advice: &str) {
        self.add(NoteKind::LeftOut, place, message, advice);
    }

    pub(crate) fn changed(&mut self, place: impl fmt::Display, message: impl fmt::Display, advice: &str) {
        self.add(NoteKind::Changed, place, message, advice);
    }

    pub(crate) fn renamed(&mut self, place: impl fmt::Display, message: impl fmt::Display) {
        self.add(NoteKind::Renamed, place, message, "");
    }

    fn add(&mut self, kind: NoteKind, place: impl fmt::Display, message: impl fmt::Display, advice: &str) {
        let advice = Some(advice).filter(|advice| !advice.is_empty()).map(str::to_owned);
        self.0.push(Note { kind, place: place.to_string(), message: message.to_string(), advice });
    }

    /// The notes in the order of their kinds, those of one kind as they were found.
    pub(crate) fn into_list(mut self) -> Vec<Note> {
        self.0.sort_by_key(|note| note.kind);
        self.0
    }
}
