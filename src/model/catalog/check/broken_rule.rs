//! A broken rule, as the message of a compile error or as an [`Error`].

use crate::model::error::{EntityKind, Error, Quoted};

/// The entry that is checked.
#[derive(Clone, Copy)]
pub(super) struct CheckedEntry<'a> {
    pub(super) entity: EntityKind,
    /// `None` for the lists of retired slugs and of reserved prefixes.
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
    Prefix,
    Name,
    Description,
    Category,
    Pattern,
    Taken,
    RenamedToItself,
    Grant,
    Include,
    Itself,
}

impl Rule {
    /// For an invalid text, its kind and the expected form.
    const fn expected(self) -> Option<(&'static str, &'static str)> {
        const NAME: &str = "1 to 255 bytes without control characters";
        const SLUG: &str = "1 to 255 visible ASCII characters other than `*`";
        match self {
            Self::Slug => Some(("slug", SLUG)),
            Self::Prefix => Some(("reserved prefix", SLUG)),
            Self::Name => Some(("name", NAME)),
            Self::Category => Some(("category", NAME)),
            Self::Description => {
                Some(("description", "at most 4,096 bytes, no control characters but newline and tab"))
            }
            Self::Pattern => Some(("pattern", "1 to 255 visible ASCII characters with 1 to 8 stars")),
            Self::Taken | Self::RenamedToItself | Self::Grant | Self::Include | Self::Itself => None,
        }
    }

    /// For the other rules, the end of the message.
    const fn problem(self) -> &'static str {
        match self {
            Self::Slug | Self::Prefix | Self::Name | Self::Category | Self::Description | Self::Pattern => "is invalid",
            Self::Taken => "is used twice: a slug may belong to one entry only, whether present, earlier or retired",
            Self::RenamedToItself => "is the present slug, so `renamed_from` must not end with it",
            Self::Grant => "is not a permission of the catalog",
            Self::Include => "is not a role defined before it",
            Self::Itself => "would include itself",
        }
    }
}

impl<'a> CheckedEntry<'a> {
    pub(super) const fn breaks(self, rule: Rule, text: &'a str) -> BrokenRule<'a> {
        BrokenRule { entry: self, rule, text }
    }
}

impl BrokenRule<'_> {
    /// Stops compilation with one sentence, such as ``role `editor`: `posts:raed` is not a permission of the catalog``.
    #[track_caller]
    #[expect(
        clippy::panic,
        reason = "it is called by `assert_sound` alone, in a constant: it panics as a compile error"
    )]
    pub(super) const fn panic(&self) -> ! {
        let is_role = matches!(self.entry.entity, EntityKind::Role);
        let mut message = Message { bytes: [0; 1024], length: 0 };
        match self.entry.slug {
            Some(slug) => message.push_all(&[if is_role { "role `" } else { "permission `" }, slug, "`: "]),
            None if matches!(self.rule, Rule::Prefix) => {
                message.push_all(&[if is_role { "roles: " } else { "permissions: " }]);
            }
            None => message.push_all(&[if is_role { "retired roles: " } else { "retired permissions: " }]),
        }
        match self.rule.expected() {
            Some((what, expected)) => message.push_all(&["invalid ", what, " `", self.text, "`: expected ", expected]),
            None => message.push_all(&["`", self.text, "` ", self.rule.problem()]),
        }
        panic!("{}", message.as_str())
    }
}

impl From<BrokenRule<'_>> for Error {
    fn from(broken: BrokenRule<'_>) -> Self {
        let BrokenRule { entry: CheckedEntry { entity, slug }, rule, text } = broken;
        if let Some((what, expected)) = rule.expected() {
            let error = Self::invalid(what, text, expected);
            // An invalid slug is named already.
            return match slug.filter(|slug| *slug != text) {
                Some(slug) => error.about(entity, slug),
                None => error,
            };
        }
        let of = Quoted(slug.unwrap_or_default());
        match rule {
            Rule::Grant => Self::not_found(EntityKind::Permission, text)
                .reason(format!("role {of} grants it, and the catalog does not define it")),
            Rule::Include => Self::not_found(entity, text)
                .reason(format!("role {of} includes it, and it is not defined before that role")),
            Rule::RenamedToItself => Self::already_exists(entity, text)
                .unusable()
                .reason("it is the present slug, so `renamed_from` must not end with it"),
            Rule::Itself => Self::cycle_of(entity, text, vec![text.to_owned(), text.to_owned()]),
            _ => Self::already_exists(entity, text)
                .reason("a slug may belong to one entry only, whether present, earlier or retired"),
        }
    }
}

/// A message built in a constant function.
struct Message {
    bytes: [u8; 1024],
    length: usize,
}

impl Message {
    /// Appends a text, or an ellipsis if the text is too long.
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
