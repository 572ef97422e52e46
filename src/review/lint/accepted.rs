//! The findings that somebody has accepted.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{Code, Finding, GRANT};
use crate::model::error::{EntityKind, Error, Result};

/// A list of findings that somebody has accepted, as a text with one line for each.
///
/// A line is a code, which accepts every finding with that code; or the [`key`](Finding::key) of a finding, in which tabs
/// separate the fields. The text after the key and a tab is ignored, so a printed line can be copied. Empty lines and lines
/// that begin with `#` are ignored, too, and so is a byte-order mark in front of the text. Entities are named by slug or
/// key: a finding about a renamed entity is a new one.
///
/// ```
/// use rolecall::review::{Accepted, Code};
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_user("alice")?;
///     for group in ["guests", "interns"] {
///         tx.create_group(group)?;
///     }
///     Ok(())
/// })?;
/// let accepted: Accepted = "# No interns in winter.\nempty_group\tgroup\tinterns\n".parse()?;
/// let now = acme.now();
/// let left: Vec<String> = now.lint().filter(|finding| !accepted.accepts(finding)).map(|found| found.place.name).collect();
/// assert_eq!(left, ["guests"]);
///
/// // Accept everything that there is today, and see only what is new.
/// let today: Accepted = now.lint().collect();
/// assert_eq!(today.to_string(), "empty_group\tgroup\tguests\nempty_group\tgroup\tinterns\n");
/// assert_eq!(today.to_string().parse::<Accepted>()?, today);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    codes: BTreeSet<Code>,
    keys: BTreeSet<String>,
}

impl Accepted {
    /// Accepts every finding with a code.
    ///
    /// ```
    /// use rolecall::review::{Accepted, Code};
    ///
    /// let mut accepted = Accepted::default();
    /// accepted.accept_code(Code::EmptyGroup);
    /// assert_eq!(accepted.to_string(), "empty_group\n");
    /// ```
    pub fn accept_code(&mut self, code: Code) {
        self.codes.insert(code);
    }

    /// Accepts one finding.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { tx.create_user("alice")?; tx.create_group("staff")?.done() })?;
    /// let mut accepted = rolecall::review::Accepted::default();
    /// let finding = acme.now().lint().next().unwrap();
    /// accepted.accept(&finding);
    /// assert!(accepted.accepts(&finding));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn accept(&mut self, finding: &Finding) {
        self.keys.insert(finding.key());
    }

    /// Whether a finding is accepted.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { tx.create_user("alice")?; tx.create_group("staff")?.done() })?;
    /// let finding = acme.now().lint().next().unwrap();
    /// assert!(!rolecall::review::Accepted::default().accepts(&finding));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn accepts(&self, finding: &Finding) -> bool {
        self.codes.contains(&finding.code) || self.keys.contains(&finding.key())
    }
}

impl FromIterator<Finding> for Accepted {
    fn from_iter<I: IntoIterator<Item = Finding>>(findings: I) -> Self {
        let mut accepted = Self::default();
        accepted.extend(findings);
        accepted
    }
}

impl Extend<Finding> for Accepted {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        findings.into_iter().for_each(|finding| self.accept(&finding));
    }
}

impl FromStr for Accepted {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut accepted = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let mut fields = line.split('\t').peekable();
            let code = fields.next().unwrap_or_default();
            accepted.add(line, code.parse()?, fields)?;
        }
        Ok(accepted)
    }
}

const KINDS: [EntityKind; 6] = [
    EntityKind::User,
    EntityKind::Group,
    EntityKind::Role,
    EntityKind::Permission,
    EntityKind::Separation,
    EntityKind::Assertion,
];

impl Accepted {
    fn add<'a>(&mut self, line: &str, code: Code, mut fields: impl Iterator<Item = &'a str>) -> Result<()> {
        let is_kind = |word: &str| word == GRANT || KINDS.iter().any(|kind| kind.to_string() == word);
        let mut key = code.code().to_owned();
        let mut has_place = false;
        while let Some(kind) = fields.next() {
            if !is_kind(kind) {
                if has_place {
                    break;
                }
                return Err(invalid(line));
            }
            let name = fields.next().ok_or_else(|| invalid(line))?;
            key = format!("{key}\t{kind}\t{name}");
            has_place = true;
        }
        if has_place {
            self.keys.insert(key);
        } else {
            self.codes.insert(code);
        }
        Ok(())
    }
}

fn invalid(line: &str) -> Error {
    let expected = "a code, or a code and one or more pairs of a kind of entity and a name, with tabs between them";
    Error::invalid("accepted finding", line, expected)
}

/// One line for each, sorted.
impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codes.iter().try_for_each(|code| writeln!(f, "{code}"))?;
        self.keys.iter().try_for_each(|key| writeln!(f, "{key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_says_less_or_more_than_a_key_is_refused_or_cut() {
        let parsed = |text: &str| text.parse::<Accepted>().map(|accepted| accepted.to_string());
        assert_eq!(parsed("\n# a\n  \n").unwrap(), "");
        assert_eq!(parsed("empty_group\r\n").unwrap(), "empty_group\n");
        assert_eq!(parsed("\u{feff}empty_group\n").unwrap(), "empty_group\n", "a mark that editors write");
        assert_eq!(parsed("\u{feff}# a\n").unwrap(), "");
        assert_eq!(
            parsed("covered_grant\trole\ta\tgrant\tb:*\tinfo: role `a` …").unwrap(),
            "covered_grant\trole\ta\tgrant\tb:*\n"
        );
        assert_eq!(parsed("empty_group\tgroup\ta b\tgroup c").unwrap(), "empty_group\tgroup\ta b\n");
        for bad in ["empty_groups", "empty_group group a", "empty_group\tgroup", "empty_group\ta", "empty_group\t"] {
            let error = parsed(bad).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{bad:?}: {error}");
        }
    }
}
