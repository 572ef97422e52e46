//! A broken rule, and how it is told: as the message of a compile error, or as an [`Error`].

use crate::model::error::{EntityKind, Error, ErrorKind, shown};

/// The entry that a fault is in.
#[derive(Clone, Copy)]
pub(super) struct CheckedEntry<'a> {
    pub(super) entity: EntityKind,
    /// None in the list of the retired.
    pub(super) slug: Option<&'a str>,
}

/// A rule, and the text that breaks it.
#[derive(Clone, Copy)]
pub(super) struct BrokenRule<'a> {
    entry: CheckedEntry<'a>,
    rule: Rule,
    text: &'a str,
}

#[derive(Clone, Copy)]
pub(super) enum Rule {
    Slug,
    Name,
    Description,
    Category,
    Pattern,
    Taken,
    Grant,
    Include,
    Itself,
}

impl Rule {
    /// What is to be said after the text that breaks it; of malformed texts, what it is not and what was expected.
    const fn told(self) -> (&'static str, &'static str) {
        const NAME: &str = "expected 1 to 255 bytes without control characters";
        match self {
            Self::Slug => ("slug", "expected 1 to 255 visible ASCII characters other than `*`"),
            Self::Name => ("name", NAME),
            Self::Category => ("category", NAME),
            Self::Description => {
                ("description", "expected at most 4,096 bytes, no control characters but newline and tab")
            }
            Self::Pattern => ("pattern", "expected 1 to 255 visible ASCII characters with 1 to 8 stars"),
            Self::Taken => ("", "stands twice: a slug that is in use, was, or is retired stands for one thing"),
            Self::Grant => ("", "is no permission of the catalog"),
            Self::Include => ("", "is no role that stands before it"),
            Self::Itself => ("", "would include itself"),
        }
    }
}

impl<'a> CheckedEntry<'a> {
    pub(super) const fn breaks(self, rule: Rule, text: &'a str) -> BrokenRule<'a> {
        BrokenRule { entry: self, rule, text }
    }
}

impl BrokenRule<'_> {
    /// Stops compilation with one sentence, such as ``role `editor`: `posts:raed` is no permission of the catalog``.
    #[track_caller]
    #[expect(
        clippy::panic,
        reason = "it is called by `assert_sound` alone, in a constant: it panics as a compile error"
    )]
    pub(super) const fn panic(&self) -> ! {
        let (what, told) = self.rule.told();
        let mut message = Message { bytes: [0; 1024], length: 0 };
        message.push(if matches!(self.entry.entity, EntityKind::Role) { "role" } else { "permission" });
        match self.entry.slug {
            Some(slug) => message.push_all(&[" `", slug, "`: `"]),
            None => message.push_all(&["s that are retired: `"]),
        }
        message.push_all(&[self.text, "` "]);
        if !what.is_empty() {
            message.push_all(&["is no ", what, ": "]);
        }
        message.push(told);
        panic!("{}", message.as_str())
    }
}

impl From<BrokenRule<'_>> for Error {
    fn from(fault: BrokenRule<'_>) -> Self {
        let BrokenRule { entry: CheckedEntry { entity, slug }, rule, text } = fault;
        let (what, told) = rule.told();
        let of = shown(slug.unwrap_or_default());
        match rule {
            Rule::Slug | Rule::Name | Rule::Description | Rule::Category | Rule::Pattern => {
                Self::invalid(what, text, told)
            }
            Rule::Taken => Self::new(ErrorKind::AlreadyExists).about(entity, text).detail(told),
            Rule::Grant => {
                let of = format!("in the catalog for the role `{of}` to grant");
                Self::new(ErrorKind::NotFound).about(EntityKind::Permission, text).detail(of)
            }
            Rule::Include => {
                let of = format!("before the role `{of}` in the catalog");
                Self::new(ErrorKind::NotFound).about(entity, text).detail(of)
            }
            Rule::Itself => Self::new(ErrorKind::Cycle).about(entity, text).details_of(vec![shown(text), shown(text)]),
        }
    }
}

/// A sentence made in a constant.
struct Message {
    bytes: [u8; 1024],
    length: usize,
}

impl Message {
    /// Adds a text, or an ellipsis where it is too long.
    const fn push(&mut self, text: &str) {
        const ELLIPSIS: &str = "…";
        let text = if text.len() > 320 { ELLIPSIS } else { text };
        let mut rest = text.as_bytes();
        while let [byte, tail @ ..] = rest {
            if let Some(room) = self.bytes.split_at_mut(self.length).1.first_mut() {
                *room = *byte;
                self.length += 1;
            }
            rest = tail;
        }
    }

    const fn push_all(&mut self, texts: &[&str]) {
        let mut rest = texts;
        while let [text, tail @ ..] = rest {
            self.push(text);
            rest = tail;
        }
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            // Not reached: two texts of 320 bytes and the words around them fit.
            Err(_) => "the catalog breaks a rule",
        }
    }
}
