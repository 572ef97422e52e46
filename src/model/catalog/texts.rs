//! The bounds of texts (R10, R5) as constant functions: twins of the constructors in [`crate::records`].
//!
//! A constructor there allocates, so it cannot run at compile time. A test below compares each pair. Loops split slices
//! by pattern because a constant function cannot use iterators.

const LONGEST: usize = 255;
const MOST_STARS: usize = 8;

/// As [`Slug::new`](crate::records::Slug::new).
pub(super) const fn is_slug(text: &str) -> bool {
    matches!(stars(text), Some(0)) && !text.is_empty() && text.len() <= LONGEST
}

/// As [`Pattern::new`](crate::records::Pattern::new).
pub(super) const fn is_pattern(text: &str) -> bool {
    matches!(stars(text), Some(1..=MOST_STARS)) && text.len() <= LONGEST
}

/// As [`Name::new`](crate::records::Name::new).
pub(super) const fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && has_no_controls(text, false)
}

/// As [`Description::new`](crate::records::Description::new).
pub(super) const fn is_description(text: &str) -> bool {
    text.len() <= 4096 && has_no_controls(text, true)
}

/// Returns the number of stars, or `None` if a byte is not visible ASCII.
const fn stars(text: &str) -> Option<usize> {
    let (mut rest, mut stars) = (text.as_bytes(), 0);
    while let [byte, tail @ ..] = rest {
        match *byte {
            b'*' => stars += 1,
            b'!'..=b'~' => {}
            _ => return None,
        }
        rest = tail;
    }
    Some(stars)
}

/// Whether no character is a control character: U+0000 to U+001F, and U+007F to U+009F. In UTF-8, the last 32 of these are
/// `C2` and a byte up to `9F`.
const fn has_no_controls(text: &str, lines: bool) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let control = match (*byte, tail) {
            (b'\n' | b'\t', _) => !lines,
            (0..=0x1f | 0x7f, _) | (0xc2, [0x80..=0x9f, ..]) => true,
            _ => false,
        };
        if control {
            return false;
        }
        rest = tail;
    }
    true
}

/// Returns whether two texts have the same bytes.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    while let [x, rest_a @ ..] = a {
        let [y, rest_b @ ..] = b else { return false };
        if *x != *y {
            return false;
        }
        a = rest_a;
        b = rest_b;
    }
    true
}

/// 32-bit FNV-1a. It needs no key: the input is the application's own source, and a collision only slows compilation.
#[expect(clippy::cast_possible_truncation, reason = "the value has 32 bits, and `usize` has at least as many")]
pub(super) const fn hash(text: &str) -> usize {
    let (mut rest, mut hash) = (text.as_bytes(), 0x811c_9dc5_u64);
    while let [byte, tail @ ..] = rest {
        // 64 bits cannot overflow here, so no `wrapping_mul` is needed: calls dominate the time of constant evaluation.
        hash = ((hash ^ *byte as u64) * 0x0100_0193) & 0xffff_ffff;
        rest = tail;
    }
    hash as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::records::{Description, Name, Pattern, Slug};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 256 }))]
        #[test]
        fn r10_the_constant_twins_agree_with_the_records(
            text in prop_oneof![
                ".{0,12}",
                "[ -~\\t\\n\u{7f}-\u{a1}*]{0,12}",
                "[a*]{0,12}",
                "[a-c]{250,260}",
                "[a*]{254,257}",
                "ü{126,129}",
                "[a\\n]{4094,4098}",
            ],
            other in "[a*]{0,3}",
        ) {
            prop_assert_eq!(is_slug(&text), Slug::new(&text).is_ok());
            prop_assert_eq!(is_pattern(&text), Pattern::new(&text).is_ok());
            prop_assert_eq!(is_name(&text), Name::new(&text).is_ok());
            prop_assert_eq!(is_description(&text), Description::new(&text).is_ok());
            prop_assert!(same(&text, &text) && hash(&text) == hash(&text.clone()));
            prop_assert_eq!(same(&text, &other), text == other);
        }
    }
}
