//! Prepares texts from outside for messages: quotes names, escapes what cannot be seen, and cuts long texts.
//!
//! Every name in a message is written by [`Quoted`], so no name can imitate the words around it.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write as _};

use any_ascii::any_ascii;

/// How many characters of a name a message shows, and how many of them are the end of a longer name.
const MOST_SHOWN: usize = 80;
const END_SHOWN: usize = 30;
/// How many characters of an invalid text an error keeps, both ends together.
const MOST_KEPT: usize = 320;
/// How many combining marks behind one character are shown as they are. Vietnamese needs two.
const MOST_MARKS: usize = 2;
/// How many code points of a difference are listed.
const MOST_CODE_POINTS: usize = 8;

/// A name in a message: in back quotes, with everything escaped that cannot be seen or that ends the quotation. Of a name
/// with more than 80 characters, the first 50 and the last 30 are shown.
///
/// All errors and explanations of this crate write names like this. Use it in your own messages and logs.
///
/// # Example
/// ```
/// use rolecall::error::Quoted;
///
/// assert_eq!(Quoted("alice").to_string(), "`alice`");
/// assert_eq!(Quoted("jürgen m").to_string(), "`jürgen m`");
/// // A reader sees the mark that reverses the text, the trailing space, and the back quote inside.
/// assert_eq!(Quoted("a\u{202e}b ").to_string(), r"`a\u{202e}b\u{20}`");
/// assert_eq!(Quoted("a` is root").to_string(), r"`a\u{60} is root`");
/// // The ellipsis is outside of the quotes, where no name can write it.
/// let (begin, end) = ("b".repeat(50), "e".repeat(30));
/// assert_eq!(Quoted(&format!("{begin}…{end}")).to_string(), format!("`{begin}`…`{end}`"));
/// ```
///
/// # Security
/// Two different names are written differently if they have at most 80 characters. Names can still *look* the same:
/// `I` and `l`, or the same letter of two scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'a>(pub &'a str);

impl<'a> Quoted<'a> {
    /// Returns the name for a field of a list that a program reads, such as a column between tabs: without quotes, and
    /// never cut. A name in which nothing is hidden is returned as it is. Any other name has the escapes of a quoted one.
    ///
    /// ```
    /// use rolecall::error::Quoted;
    ///
    /// assert_eq!(Quoted("alice").as_field(), "alice");
    /// assert_eq!(Quoted(r"acme\bob").as_field(), r"acme\bob");
    /// assert_eq!(Quoted("a\u{202e}b ").as_field(), r"a\u{202e}b\u{20}");
    /// // What only looks like an escape is written in another way.
    /// assert_eq!(Quoted(r"a\u{202e}b").as_field(), r"a\\u{202e}b");
    /// ```
    ///
    /// # Security
    /// Two different names without control characters are written differently. No key and no slug has a control character.
    pub fn as_field(self) -> Cow<'a, str> {
        let Self(name) = self;
        if is_plain(name) {
            return Cow::Borrowed(name);
        }
        let mut escaped = String::with_capacity(name.len() + 16);
        let _: fmt::Result = write_name(&mut escaped, name);
        // A back quote ends nothing here, and a backslash matters only where it begins an escape.
        let shown = |name: &str| name.replace('\\', "\\\\").replace('`', "\\u{60}");
        if escaped == shown(name) && !name.contains("\\u{") { Cow::Borrowed(name) } else { Cow::Owned(escaped) }
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.len() <= MOST_SHOWN {
            return Part(self.0).fmt(f);
        }
        let begin = self.0.char_indices().nth(MOST_SHOWN - END_SHOWN).map_or(0, |(at, _)| at);
        let end = self.0.char_indices().rev().nth(END_SHOWN - 1).map_or(0, |(at, _)| at);
        match (self.0.char_indices().nth(MOST_SHOWN), self.0.get(..begin), self.0.get(end..)) {
            (Some(_), Some(begin), Some(end)) => write!(f, "{}…{}", Part(begin), Part(end)),
            _ => write!(f, "{}", Part(self.0)),
        }
    }
}

/// All of a name, or one end of it.
struct Part<'a>(&'a str);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        if is_plain(self.0) {
            f.write_str(self.0)?;
        } else {
            write_name(f, self.0)?;
        }
        f.write_char('`')
    }
}

/// Writes a name with everything escaped that cannot be seen or that ends the quotation.
fn write_name(f: &mut impl fmt::Write, name: &str) -> fmt::Result {
    let last = name.char_indices().next_back().map(|(at, _)| at);
    let mut marks = 0;
    for (at, c) in name.char_indices() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        match c {
            // Not by a backslash: that does not keep a code span of Markdown from ending.
            '`' => f.write_str("\\u{60}")?,
            '\\' => f.write_str("\\\\")?,
            // A pile of marks covers the lines around it.
            c if marks > MOST_MARKS => write!(f, "{}", c.escape_unicode())?,
            ' ' if at == 0 || Some(at) == last => f.write_str("\\u{20}")?,
            c => write_visible(f, c, at == 0)?,
        }
    }
    Ok(())
}

/// Whether nothing in a name is escaped. Most names are like that, and a log of many changes has many of them.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'`' | b'\\');
    name.bytes().all(plain) && !name.starts_with(' ') && !name.ends_with(' ')
}

/// Whether a character is drawn over the one before it.
fn is_mark(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    let alone = c.escape_debug().len();
    alone > 1 && ['x', c].iter().collect::<String>().escape_debug().count() == 2
}

/// Writes a character, escaped if it cannot be seen, or looks like a back quote. A combining mark is escaped if it comes
/// first: it would change the character before the text. So is one that crosses out or surrounds the character before it.
fn write_visible(f: &mut impl fmt::Write, c: char, first: bool) -> fmt::Result {
    match c {
        ' '..='~' => f.write_char(c),
        // Letters and marks that are drawn as nothing. The standard library prints them.
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{1d159}'
        | '\u{e0100}'..='\u{e01ef}'
        // Like a back quote. Normalisation makes one of U+1FEF and U+FF40, and a semicolon of U+037E.
        | '\u{2cb}' | '\u{2f4}' | '\u{37e}' | '\u{1fef}' | '\u{2035}' | '\u{ff40}'
        | '\u{334}'..='\u{338}'
        | '\u{20d0}'..='\u{20f0}' => write!(f, "{}", c.escape_unicode()),
        c if first => write!(f, "{}", c.escape_debug()),
        // Behind another character, the standard library leaves a combining mark as it is.
        c => {
            let mut after = String::from("x");
            after.push(c);
            after.escape_debug().skip(1).try_for_each(|c| f.write_char(c))
        }
    }
}

/// Whether a message escapes a character inside of a text, because it cannot be seen or looks like a back quote.
pub(crate) fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let mut shown = String::new();
    let _: fmt::Result = write_visible(&mut shown, c, false);
    shown.starts_with('\\')
}

/// Returns a text of the application or of a store in one line: with everything escaped that cannot be seen, cut after
/// `most` characters. It has no quotes, so use it for sentences, never for names.
pub(crate) fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().take(most).enumerate() {
        let _: fmt::Result = write_visible(&mut out, c, n == 0);
    }
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// Whether a message shows only both ends of a name.
pub(super) fn is_cut(text: &str) -> bool {
    text.chars().nth(MOST_SHOWN).is_some()
}

/// Returns what an error keeps of an invalid text, which may be long: all of it, or both ends.
pub(super) fn kept(text: &str) -> String {
    if text.chars().nth(MOST_KEPT).is_none() {
        return text.to_owned();
    }
    let begin = text.chars().take(MOST_KEPT - END_SHOWN);
    let end = text.char_indices().rev().nth(END_SHOWN - 1).and_then(|(at, _)| text.get(at..)).unwrap_or_default();
    begin.chain(['…']).chain(end.chars()).collect()
}

/// A question that lists similar names: ``did you mean `a`, `b` or `c`?``. Where a name looks like the one that was
/// asked for, it says which code points differ. Where it looks like another one of the list, it says which code points
/// it has there.
pub(crate) struct DidYouMean<'a> {
    pub(crate) asked: &'a str,
    pub(crate) names: &'a [String],
}

impl Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { asked, names } = self;
        for (n, name) in names.iter().enumerate() {
            let begin = match n {
                0 => "did you mean ",
                n if n + 1 == names.len() => " or ",
                _ => ", ",
            };
            write!(f, "{begin}{}", Quoted(name))?;
            if looks_like(asked, name) {
                let (asked, other) = difference(asked, name);
                write!(f, " (with {} for {})", CodePoints(other), CodePoints(asked))?;
            } else if let Some(twin) = names.iter().find(|twin| looks_like(twin, name)) {
                write!(f, " (with {})", CodePoints(difference(name, twin).0))?;
            }
        }
        if names.is_empty() { Ok(()) } else { f.write_char('?') }
    }
}

/// Whether two different names may be read as one: composed and decomposed letters, letters of two scripts, and ASCII
/// characters that many typefaces draw alike.
fn looks_like(a: &str, b: &str) -> bool {
    fn drawn(text: &str) -> String {
        let seen: String = text.chars().filter(|c| visible_in(*c)).collect();
        let ascii = any_ascii(&seen).replace("rn", "m").replace("vv", "w");
        ascii.chars().map(|c| if matches!(c, 'I' | '1' | '|') { 'l' } else { c }).map(zero).collect()
    }
    fn zero(c: char) -> char {
        if c == '0' { 'O' } else { c }
    }
    fn visible_in(c: char) -> bool {
        let mut out = String::new();
        write_visible(&mut out, c, false).is_ok() && !out.starts_with('\\')
    }
    a != b && drawn(a) == drawn(b)
}

/// The parts of two texts without their common beginning and end.
fn difference<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    let head: usize = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(c, _)| c.len_utf8()).sum();
    let (a, b) = (a.get(head..).unwrap_or_default(), b.get(head..).unwrap_or_default());
    let both = a.chars().rev().zip(b.chars().rev());
    let tail: usize = both.take_while(|(x, y)| x == y).map(|(c, _)| c.len_utf8()).sum();
    (a.get(..a.len() - tail).unwrap_or_default(), b.get(..b.len() - tail).unwrap_or_default())
}

/// The code points of a text, as Unicode writes them.
struct CodePoints<'a>(&'a str);

impl Display for CodePoints<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (n, c) in self.0.chars().take(MOST_CODE_POINTS).enumerate() {
            write!(f, "{}U+{:04X}", if n == 0 { "" } else { " " }, u32::from(c))?;
        }
        if self.0.chars().nth(MOST_CODE_POINTS).is_some() { f.write_str(" …") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_everything_that_cannot_be_seen_is_escaped() {
        let table = [
            ("alice", "`alice`"),
            ("", "``"),
            ("a b", "`a b`"),
            ("jürgen", "`jürgen`"),
            ("ju\u{308}rgen", "`ju\u{308}rgen`"),
            ("日本", "`日本`"),
            ("O'Brien \"x\"", "`O'Brien \"x\"`"),
            // Characters that would end the quotation, or look like an escape.
            ("a`b", r"`a\u{60}b`"),
            (r"acme\bob", r"`acme\\bob`"),
            // Controls, and marks that change the direction.
            ("a\u{1b}b\n", r"`a\u{1b}b\n`"),
            ("a\0", r"`a\0`"),
            ("a\u{85}b", r"`a\u{85}b`"),
            ("a\u{202e}b", r"`a\u{202e}b`"),
            ("a\u{2066}b", r"`a\u{2066}b`"),
            ("a\u{200f}b", r"`a\u{200f}b`"),
            // Separators and spaces.
            ("a\u{2028}b\u{2029}", r"`a\u{2028}b\u{2029}`"),
            (" a ", r"`\u{20}a\u{20}`"),
            (" ", r"`\u{20}`"),
            ("a\u{a0}b\u{3000}c", r"`a\u{a0}b\u{3000}c`"),
            // Nothing is drawn.
            ("a\u{200b}b\u{feff}", r"`a\u{200b}b\u{feff}`"),
            ("a\u{ad}b\u{2060}", r"`a\u{ad}b\u{2060}`"),
            ("a\u{3164}b\u{115f}\u{2800}", r"`a\u{3164}b\u{115f}\u{2800}`"),
            ("a\u{fe0f}\u{34f}", r"`a\u{fe0f}\u{34f}`"),
            ("a\u{e0041}", r"`a\u{e0041}`"),
            // Private use, unassigned, and a combining mark that would change the quote.
            ("a\u{e000}", r"`a\u{e000}`"),
            ("a\u{378}", r"`a\u{378}`"),
            ("\u{301}a", r"`\u{301}a`"),
            // Marks that pile up, cross out or surround. Two marks are usual in Vietnamese.
            ("e\u{323}\u{302}", "`e\u{323}\u{302}`"),
            ("e\u{323}\u{302}\u{301}\u{301}e\u{301}", "`e\u{323}\u{302}\\u{301}\\u{301}e\u{301}`"),
            ("a\u{338}b\u{20dd}", r"`a\u{338}b\u{20dd}`"),
            // Like a back quote.
            ("a\u{1fef}b\u{2cb}c\u{ff40}", r"`a\u{1fef}b\u{2cb}c\u{ff40}`"),
        ];
        for (name, text) in table {
            assert_eq!(Quoted(name).to_string(), text, "{name:?}");
        }
    }

    #[test]
    fn f10_a_field_of_a_list_is_escaped_if_something_in_it_is_hidden() {
        let long = "a".repeat(300);
        for plain in ["alice", "", "a b", "j\u{fc}rgen", "\u{65e5}\u{672c}", "a`b", r"acme\bob", r"acme\nina", &long] {
            assert_eq!(Quoted(plain).as_field(), plain);
        }
        let table = [
            ("a\u{202e}b", r"a\u{202e}b"),
            (r"a\u{202e}b", r"a\\u{202e}b"),
            ("a\\\u{202e}b", r"a\\\u{202e}b"),
            ("a`\u{2028}b", r"a\u{60}\u{2028}b"),
            (" a ", r"\u{20}a\u{20}"),
            ("a\nb\tc", r"a\nb\tc"),
        ];
        for (name, text) in table {
            assert_eq!(Quoted(name).as_field(), text, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_outside_of_its_quotes_and_keeps_its_end() {
        let (fits, long) = ("a".repeat(80), "a".repeat(81));
        assert_eq!(Quoted(&fits).to_string(), format!("`{fits}`"));
        assert_eq!(Quoted(&long).to_string(), format!("`{}`…`{}`", "a".repeat(50), "a".repeat(30)));
        assert_eq!(Quoted("a…").to_string(), "`a…`");
        let of = |end: &str| Quoted(&format!("{}{end}", "ä".repeat(300))).to_string();
        assert!(of("1") != of("2") && of("1").ends_with("ä1`"), "two long names that differ in the end");
        // Each part is escaped like a name of its own.
        let end = format!("\u{301} {}", "z".repeat(28));
        let cut = Quoted(&format!("{} {end}", "a".repeat(60))).to_string();
        assert_eq!(cut, format!("`{}`…`\\u{{301}} {}`", "a".repeat(50), "z".repeat(28)));
    }

    #[test]
    fn a_sentence_is_escaped_and_cut() {
        assert_eq!(escaped("a\u{1b}b\n\u{202e}`", 9), "a\\u{1b}b\\n\\u{202e}`");
        assert_eq!(escaped("abc", 3), "abc");
        assert_eq!(escaped("abcd", 3), "abc…");
        assert_eq!(
            (kept("a\n"), kept(&"x".repeat(320)).len(), kept(&"x".repeat(321)).len()),
            ("a\n".to_owned(), 320, 323)
        );
        assert!(kept(&format!("{}end", "ä".repeat(400))).ends_with("ääend"));
    }

    #[test]
    fn f9_a_name_that_looks_the_same_is_shown_with_its_code_points() {
        let table = [
            ("editor", vec!["edtior"], "did you mean `edtior`?"),
            ("a", vec!["b", "c"], "did you mean `b` or `c`?"),
            ("a", vec!["b", "c", "d"], "did you mean `b`, `c` or `d`?"),
            ("a", vec![], ""),
            // Two of the list look the same.
            (
                "alise",
                vec!["alice", "\u{430}lice"],
                "did you mean `alice` (with U+0061) or `\u{430}lice` (with U+0430)?",
            ),
            // Composed and decomposed.
            ("j\u{fc}rgen", vec!["ju\u{308}rgen"], "did you mean `ju\u{308}rgen` (with U+0075 U+0308 for U+00FC)?"),
            // Cyrillic, and ASCII that many typefaces draw alike.
            ("\u{430}lice", vec!["alice"], "did you mean `alice` (with U+0061 for U+0430)?"),
            ("aIice", vec!["alice"], "did you mean `alice` (with U+006C for U+0049)?"),
            ("modem", vec!["modern"], "did you mean `modern` (with U+0072 U+006E for U+006D)?"),
            // Nothing is drawn.
            ("alice\u{200b}", vec!["alice"], "did you mean `alice` (with nothing for U+200B)?"),
            ("alice ", vec!["alice"], "did you mean `alice`?"),
        ];
        for (asked, names, text) in table {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            assert_eq!(DidYouMean { asked, names: &names }.to_string(), text, "{asked}");
        }
    }
}
