//! Compares patterns (R5) with a simple second implementation. The input is a pattern and a slug, one a line.

use rolecall::records::Pattern;

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, slug) = text.split_once('\n').unwrap_or((&text, ""));
    let read = Pattern::new(pattern);
    assert_eq!(read.is_ok(), is_pattern(pattern), "{pattern:?}");
    if let Ok(read) = read {
        assert_eq!(read.to_string(), pattern);
        assert_eq!(read.matches(slug), matches(pattern.as_bytes(), slug.as_bytes()), "{pattern:?} on {slug:?}");
        if let Ok(other) = Pattern::new(slug) {
            // A star of the other pattern is one more character, which only a star matches.
            assert_eq!(
                read.covers(&other),
                matches(pattern.as_bytes(), slug.as_bytes()),
                "{pattern:?} covers {slug:?}"
            );
        }
    }
}

/// 1 to 255 visible ASCII characters, with 1 to 8 stars.
fn is_pattern(text: &str) -> bool {
    let stars = text.chars().filter(|c| *c == '*').count();
    text.chars().all(|c| ('!'..='~').contains(&c)) && (1..=255).contains(&text.len()) && (1..=8).contains(&stars)
}

/// Matches one character of the pattern at a time. Remembers which prefixes of the text, by length, match so far.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut matched: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for p in pattern {
        let next = |length: usize| match p {
            b'*' => matched[..=length].contains(&true),
            _ => length > 0 && matched[length - 1] && text[length - 1] == *p,
        };
        matched = (0..=text.len()).map(next).collect();
    }
    matched[text.len()]
}
