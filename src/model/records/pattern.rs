//! Patterns of permission slugs (R5). `*` matches any run of characters; no other character is special.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::text_traits;
use crate::model::error::{Error, Result};

/// A pattern of permissions that a role grants, by their slugs: `users:*`, `*`, `storage.objects.*`.
///
/// `*` matches any run of characters, including none and including separators. Every other character matches itself,
/// in the same case. A pattern has 1 to 8 stars.
///
/// ```
/// use rolecall::records::Pattern;
/// let pattern = Pattern::new("users:*")?;
/// assert!(pattern.matches("users:read") && pattern.matches("users:"));
/// assert!(!pattern.matches("users") && !pattern.matches("superusers:read"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Arc<str>);

#[cfg(test)]
thread_local! {
    /// How often this thread has matched a pattern with a slug.
    pub(crate) static MATCHES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

const MOST_STARS: usize = 8;
const EXPECTED: &str = "1 to 255 visible ASCII characters with 1 to 8 stars";

impl Pattern {
    /// Validates a pattern.
    ///
    /// ```
    /// use rolecall::records::Pattern;
    ///
    /// assert!(Pattern::new("users:*").is_ok());
    /// assert!(Pattern::new("users:read").is_err(), "this is a slug");
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn new(text: &str) -> Result<Self> {
        let stars = text.bytes().filter(|b| *b == b'*').count();
        let fits = text.len() <= 255 && (1..=MOST_STARS).contains(&stars) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(Error::invalid("pattern", text, EXPECTED)) }
    }

    /// Returns whether a text is intended as a pattern: it contains a star.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.contains('*')
    }

    /// Returns whether the pattern matches the slug of a permission.
    ///
    /// ```
    /// use rolecall::records::Pattern;
    ///
    /// let pattern: Pattern = "posts:*:draft".parse()?;
    /// assert!(pattern.matches("posts:edit:draft") && !pattern.matches("posts:edit"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(length of the slug × length of the pattern) at worst; usually each character is read once.
    pub fn matches(&self, slug: &str) -> bool {
        #[cfg(test)]
        MATCHES.set(MATCHES.get() + 1);
        // The leftmost match of each piece is best: it leaves the longest remainder for the pieces after it.
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|head| slug.strip_prefix(head)) else { return false };
        let Some(tail) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            let Some((_, after)) = rest.split_once(piece) else { return false };
            rest = after;
        }
        rest.ends_with(tail)
    }

    /// Returns the characters before the first star. Every match begins with them.
    pub(crate) fn prefix(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }
}

text_traits!(Pattern: "users:*");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: a star matches nothing, or one more character.
    fn naive(pattern: &[u8], slug: &[u8]) -> bool {
        match (pattern.first(), slug.first()) {
            (None, None) => true,
            (Some(b'*'), _) => naive(&pattern[1..], slug) || (!slug.is_empty() && naive(pattern, &slug[1..])),
            (Some(p), Some(s)) => p == s && naive(&pattern[1..], &slug[1..]),
            _ => false,
        }
    }

    #[test]
    fn r5_a15_a_table_of_patterns() {
        let table = [
            ("*", "", true),
            ("*", "a", true),
            ("**", "x", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "a", true),
            ("*a", "ab", false),
            ("*a*", "bab", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abab", true),
            ("users:*", "users:read", true),
            ("users:*", "users", false),
            ("users:*", "Users:read", false),
            ("*/*:*", "apps/deployments:get", true),
            ("*/*:*", "pods:get", false),
            ("a*", "a\nb", true),
        ];
        for (pattern, slug, expected) in table {
            assert_eq!(Pattern::new(pattern).unwrap().matches(slug), expected, "{pattern} {slug}");
            assert_eq!(naive(pattern.as_bytes(), slug.as_bytes()), expected, "naive: {pattern} {slug}");
        }
        assert_eq!(Pattern::new("apps/*:*").unwrap().prefix(), "apps/");
    }

    #[test]
    fn r5_a_pattern_has_one_to_eight_stars() {
        assert!(Pattern::new("********").is_ok() && Pattern::new("*********").is_err());
        for bad in ["", "users:read", "users: *", "ü*", "*\n", &format!("*{}", "a".repeat(255))] {
            assert!(Pattern::new(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn r5_matching_agrees_with_the_naive_definition(pattern in "[ab*]{0,8}[*][ab:]{0,4}", slug in "[ab:]{0,12}") {
            prop_assume!(Pattern::new(&pattern).is_ok());
            prop_assert_eq!(Pattern::new(&pattern).unwrap().matches(&slug), naive(pattern.as_bytes(), slug.as_bytes()));
        }
    }
}
