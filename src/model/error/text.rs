//! Prepares texts from outside for messages: escapes control characters and cuts long texts.

/// Returns a text with its control characters escaped, cut after 80 characters.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, 80)
}

/// Returns a text with its control characters escaped, cut after `most` characters.
pub(crate) fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(most) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// How many names of a cycle are kept.
const MOST_NAMES: usize = 20;

/// The names around a cycle, with the first one repeated at the end. A long cycle keeps both ends and the number of names
/// left out between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CycleNames {
    pub(crate) names: Vec<String>,
    pub(crate) omitted: usize,
}

impl CycleNames {
    pub(crate) fn new(mut names: Vec<String>) -> Self {
        let omitted = names.len().saturating_sub(MOST_NAMES);
        if omitted > 0 {
            names.drain(MOST_NAMES / 2..MOST_NAMES / 2 + omitted);
        }
        Self { names, omitted }
    }
}

impl std::fmt::Display for CycleNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, name) in self.names.iter().enumerate() {
            if n > 0 {
                f.write_str(" > ")?;
            }
            if self.omitted > 0 && n == MOST_NAMES / 2 {
                write!(f, "… {} more … > ", self.omitted)?;
            }
            write!(f, "`{}`", shown(name))?;
        }
        Ok(())
    }
}

/// A question that lists similar names: ``; did you mean `a` or `b`?``, or nothing.
pub(crate) struct DidYouMean<'a>(pub(crate) &'a [String]);

impl std::fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, name) in self.0.iter().enumerate() {
            write!(f, "{}`{}`", if n == 0 { "; did you mean " } else { " or " }, shown(name))?;
        }
        if self.0.is_empty() { Ok(()) } else { f.write_str("?") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_escaped_and_cut() {
        assert_eq!(shown("a\u{1b}b\n"), "a\\u{1b}b\\n");
        assert_eq!(escaped("abc", 3), "abc");
        assert_eq!(escaped("abcd", 3), "abc…");
    }

    #[test]
    fn the_middle_of_a_long_cycle_is_left_out() {
        let cycle = |last: usize| CycleNames::new((0..last).map(|n| n.to_string()).collect());
        assert_eq!(cycle(3).to_string(), "`0` > `1` > `2`");
        assert_eq!((cycle(20).names.len(), cycle(20).omitted), (20, 0));
        assert_eq!((cycle(25).names.len(), cycle(25).omitted), (20, 5));
        let text = cycle(25).to_string();
        assert!(text.starts_with("`0` > ") && text.contains("`9` > … 5 more … > `15` > ") && text.ends_with(" > `24`"));
    }

    #[test]
    fn similar_names_are_asked_about() {
        let names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(DidYouMean(&names).to_string(), "; did you mean `a` or `b`?");
        assert_eq!(DidYouMean(&[]).to_string(), "");
    }
}
