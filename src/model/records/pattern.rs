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

    /// Returns whether the pattern matches everything that another pattern matches.
    ///
    /// ```
    /// use rolecall::records::Pattern;
    ///
    /// let [users, reads, all] = ["users:*", "users:*:read", "*"].map(|text| Pattern::new(text).unwrap());
    /// assert!(users.covers(&reads) && all.covers(&users) && users.covers(&users));
    /// assert!(!reads.covers(&users), "`users:invite`, for example");
    /// ```
    ///
    /// # Complexity
    /// As [`Pattern::matches`].
    pub fn covers(&self, other: &Self) -> bool {
        // Each star of the other pattern is any text. Only a star can match it, because no other character of this
        // pattern is a star. A star that matches it matches every text in its place.
        self.matches(&other.0)
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

    /// Whether every text that `other` matches is matched by `pattern`: all states that both can be in after the same
    /// text. `!` represents all characters that neither of them has.
    fn covers(pattern: &[u8], other: &[u8]) -> bool {
        use std::collections::BTreeSet;
        let close = |pattern: &[u8], states: BTreeSet<usize>| -> BTreeSet<usize> {
            let stars = |at: usize| (at..).take_while(|at| pattern.get(*at) == Some(&b'*')).map(|at| at + 1);
            states.iter().flat_map(|at| [*at].into_iter().chain(stars(*at))).collect()
        };
        let read = |pattern: &[u8], states: &BTreeSet<usize>, c: u8| -> BTreeSet<usize> {
            let step = |at: &usize| match pattern.get(*at) {
                Some(b'*') => Some(*at),
                Some(own) => (*own == c).then_some(at + 1),
                None => None,
            };
            close(pattern, states.iter().filter_map(step).collect())
        };
        let start = |pattern| close(pattern, BTreeSet::from([0]));
        let (mut seen, mut todo) = (BTreeSet::new(), vec![(start(pattern), start(other))]);
        while let Some((mine, theirs)) = todo.pop() {
            if theirs.contains(&other.len()) && !mine.contains(&pattern.len()) {
                return false;
            }
            if theirs.is_empty() || !seen.insert((mine.clone(), theirs.clone())) {
                continue;
            }
            let letters: BTreeSet<u8> =
                pattern.iter().chain(other).copied().filter(|c| *c != b'*').chain([b'!']).collect();
            todo.extend(letters.into_iter().map(|c| (read(pattern, &mine, c), read(other, &theirs, c))));
        }
        true
    }

    #[test]
    fn r13_a_table_of_patterns_that_cover_others() {
        let table = [
            ("*", "*", true),
            ("*", "a*b*", true),
            ("**", "*", true),
            ("*", "**", true),
            ("users:*", "users:*", true),
            ("users:*", "users:r*", true),
            ("users:r*", "users:*", false),
            ("users:*", "user*", false),
            ("users:*", "*", false),
            ("*:read", "*:*:read", true),
            ("*:*:read", "*:read", false),
            ("a*", "*a", false),
            ("*a*", "a*", true),
            ("*a*a", "a*a", true),
            ("*a*", "*aa*", true),
            ("*aa*", "*a*", false),
            ("*a*", "*b*", false),
        ];
        for (pattern, other, expected) in table {
            let [one, two] = [pattern, other].map(|text| Pattern::new(text).unwrap());
            assert_eq!(one.covers(&two), expected, "{pattern} {other}");
            assert_eq!(covers(pattern.as_bytes(), other.as_bytes()), expected, "by states: {pattern} {other}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 500 } else { 5_000 }))]
        #[test]
        fn r13_covering_agrees_with_a_search_of_all_texts(pattern in "[ab*]{0,5}[*][ab]{0,3}", other in "[ab*]{0,5}[*][ab]{0,3}") {
            prop_assume!(Pattern::new(&pattern).is_ok() && Pattern::new(&other).is_ok());
            let [one, two] = [&pattern, &other].map(|text| Pattern::new(text).unwrap());
            prop_assert_eq!(one.covers(&two), covers(pattern.as_bytes(), other.as_bytes()));
        }

        #[test]
        fn r13_a_pattern_matches_what_one_that_it_covers_matches(
            pattern in "[ab*]{0,5}[*]", other in "[ab*]{0,5}[*]", slug in "[ab]{0,8}",
        ) {
            let [one, two] = [&pattern, &other].map(|text| Pattern::new(text).unwrap());
            prop_assert!(!one.covers(&two) || !two.matches(&slug) || one.matches(&slug));
        }

        #[test]
        fn r5_matching_agrees_with_the_naive_definition(pattern in "[ab*]{0,8}[*][ab:]{0,4}", slug in "[ab:]{0,12}") {
            prop_assume!(Pattern::new(&pattern).is_ok());
            prop_assert_eq!(Pattern::new(&pattern).unwrap().matches(&slug), naive(pattern.as_bytes(), slug.as_bytes()));
        }
    }
}
