//! Suggestions for a name that was not found, computed only on request.
//!
//! Most errors of this kind are dropped unread: a caller asks whether an entity exists. So an error keeps a handle to the
//! names, and searches them when it is shown.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// Guesses what a caller meant by an unknown name. The resolver implements it.
pub(crate) trait GuessName: Send + Sync {
    /// Returns existing names, most similar first. May search ten thousand names.
    fn similar(&self, name: &str) -> Vec<String>;

    /// Returns what is wrong with the name, if its form or the catalog shows it. Costs a look-up. A message then has this
    /// in place of a question.
    fn advice(&self, name: &str) -> Option<String>;
}

/// The source of guesses, and the guesses that it has made.
#[derive(Clone, Default)]
pub(crate) struct Suggestions {
    names: OnceLock<Vec<String>>,
    advice: OnceLock<Option<String>>,
    source: Option<Arc<dyn GuessName>>,
}

impl Suggestions {
    pub(crate) fn new(source: Arc<dyn GuessName>) -> Self {
        Self { source: Some(source), ..Self::default() }
    }

    /// Returns the similar names, which the first call searches for.
    pub(crate) fn names(&self, asked: &str) -> &[String] {
        self.names.get_or_init(|| self.source.as_ref().map(|source| source.similar(asked)).unwrap_or_default())
    }

    pub(crate) fn advice(&self, asked: &str) -> Option<&str> {
        self.advice.get_or_init(|| self.source.as_ref().and_then(|source| source.advice(asked))).as_deref()
    }
}

impl From<Vec<String>> for Suggestions {
    fn from(names: Vec<String>) -> Self {
        Self { names: names.into(), ..Self::default() }
    }
}

impl fmt::Debug for Suggestions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suggestions").finish_non_exhaustive()
    }
}
