//! The model file of casbin: which column of a rule is compared with what, and how.

use std::collections::BTreeMap;

use rolecall::error::Quoted;

use crate::Error;

/// The content of a model file, as far as it can be carried over.
pub(super) struct Model {
    /// The names of the columns of a `p` line.
    pub(super) columns: Vec<String>,
    /// The number of columns of a `g` line.
    pub(super) link_columns: usize,
    pub(super) effect: Effect,
    /// `None` if no part of the matcher can be carried over.
    pub(super) matcher: Option<Matcher>,
    /// The parts of the matcher that allow more than what is carried over.
    pub(super) left_out: Vec<String>,
}

/// The joint effect of several rules that match.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// One rule that allows is enough.
    AllowOverride,
    /// A rule that denies takes away what others allow, always or by its priority.
    DenyCounts,
    /// Something else. Nothing is granted then.
    Other,
}

/// One conjunction of comparisons, each of a part of the request with a column.
pub(super) struct Matcher {
    pub(super) subject: Comparison,
    /// Whether a rule about a role counts for those that links lead to it.
    pub(super) follows_links: bool,
    /// The column is `None` if rules count in every domain.
    pub(super) domain: Option<Comparison>,
    /// The other parts of the request in order: usually the object and the action.
    pub(super) asked: Vec<Comparison>,
}

/// A comparison of a part of the request with a column.
#[derive(Clone)]
pub(super) struct Comparison {
    /// The number of the column. `None` if the part of the request is not looked at.
    pub(super) column: Option<usize>,
    pub(super) test: Test,
    /// Whether the value `*` means everything.
    pub(super) star_is_any: bool,
}

/// How a value is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    /// `keyMatch`: a star and everything behind it match any end.
    KeyMatch,
    /// A function that is true at least for equal words of letters and digits.
    Function,
}

/// Functions that are true for equal words. `keyMatch` is another case.
const FUNCTIONS: [&str; 7] = ["keyMatch2", "keyMatch3", "keyMatch4", "keyMatch5", "regexMatch", "globMatch", "g2"];

impl Model {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let file = sections(text)?;
        let value = |section: &str, key: &str| {
            let found = file.get(&(section.to_owned(), key.to_owned()));
            found.ok_or_else(|| Error::invalid("model", format!("[{section}] has no `{key}`")))
        };
        let request = list(value("request_definition", "r")?);
        let columns = list(value("policy_definition", "p")?);
        let effect: String = value("policy_effect", "e")?.split_whitespace().collect();
        let effect = match effect.as_str() {
            "some(where(p.eft==allow))" => Effect::AllowOverride,
            "some(where(p.eft==allow))&&!some(where(p.eft==deny))"
            | "priority(p.eft)||deny"
            | "subjectPriority(p.eft)||deny" => Effect::DenyCounts,
            _ => Effect::Other,
        };
        let link_columns = value("role_definition", "g").map_or(0, |links| list(links).len());
        let mut model = Self { columns, link_columns, effect, matcher: None, left_out: Vec::new() };
        for conjunction in split(&without_spaces(value("matchers", "m")?), "||") {
            match model.conjunction(&conjunction, &request) {
                Some(matcher) if model.matcher.is_none() => model.matcher = Some(matcher),
                _ => model.left_out.push(conjunction),
            }
        }
        Ok(model)
    }

    /// Reads a conjunction. `None` if it has a condition that cannot be carried over: without it, it would allow more.
    fn conjunction(&mut self, text: &str, request: &[String]) -> Option<Matcher> {
        let (mut comparisons, mut subject, mut domain) = (BTreeMap::new(), None, None);
        let any = Comparison { column: None, test: Test::Equal, star_is_any: false };
        let mut left_out = Vec::new();
        for condition in split(&unwrapped(text), "&&") {
            // Of alternatives, those that cannot be carried over only allow more.
            let mut found: Option<(String, Comparison)> = None;
            let (mut stars, mut others) = (Vec::new(), Vec::new());
            for alternative in split(&unwrapped(&condition), "||") {
                let alternative = unwrapped(&alternative);
                if let Some(column) = self.star(&alternative) {
                    stars.push((column, alternative));
                } else if let Some((arguments, rest)) = call(&alternative, "g").and_then(|list| split_first(&list)) {
                    let comparison = self.comparison("==", &arguments, rest.first()?)?;
                    if rest.len() > 2 || rest.len() + 1 != self.link_columns || found.is_some() {
                        return None;
                    }
                    subject = Some(comparison.0.clone());
                    domain = match rest.get(1) {
                        Some(third) => Some(part(third, "r")?.to_owned()),
                        None => None,
                    };
                    found = Some(comparison);
                } else if let Some(comparison) = self.compared(&alternative).filter(|_| found.is_none()) {
                    found = Some(comparison);
                } else {
                    others.push(alternative);
                }
            }
            let (asked, mut comparison) = found?;
            for (column, star) in stars {
                if comparison.column == Some(column) {
                    comparison.star_is_any = true;
                } else {
                    others.push(star);
                }
            }
            if !request.contains(&asked) || comparisons.insert(asked, comparison).is_some() {
                return None;
            }
            left_out.extend(others);
        }
        let follows_links = subject.is_some();
        let subject = subject.or_else(|| request.iter().find(|name| *name == "sub").cloned())?;
        let is_domain = |name: &&String| ["dom", "domain", "tenant"].contains(&name.as_str());
        let domain = domain.or_else(|| request.iter().find(is_domain).cloned());
        let names_domain = domain.is_some();
        let asked = request.iter().filter(|name| **name != subject && Some(*name) != domain.as_ref());
        let asked: Vec<_> = asked.map(|name| comparisons.remove(name).unwrap_or_else(|| any.clone())).collect();
        let subject = comparisons.remove(&subject).filter(|subject| subject.test == Test::Equal)?;
        let domain = match domain {
            Some(domain) => {
                Some(comparisons.remove(&domain).unwrap_or(any)).filter(|domain| domain.test == Test::Equal)
            }
            None => None,
        };
        if asked.is_empty() || domain.is_none() && names_domain {
            return None;
        }
        self.left_out.extend(left_out);
        Some(Matcher { subject, follows_links, domain, asked })
    }

    /// Reads `r.x == p.y`, in either order, and `function(r.x, p.y)`.
    fn compared(&self, text: &str) -> Option<(String, Comparison)> {
        if let Some((left, right)) = text.split_once("==") {
            return self.comparison("==", left, right).or_else(|| self.comparison("==", right, left));
        }
        let mut functions = FUNCTIONS.iter().chain(&["keyMatch"]);
        let (function, arguments) = functions.find_map(|name| Some((*name, call(text, name)?)))?;
        match arguments.as_slice() {
            [left, right] => self.comparison(function, left, right),
            _ => None,
        }
    }

    fn comparison(&self, test: &str, asked: &str, column: &str) -> Option<(String, Comparison)> {
        let column = self.column(part(column, "p")?)?;
        let test = match test {
            "==" => Test::Equal,
            "keyMatch" => Test::KeyMatch,
            _ => Test::Function,
        };
        let comparison = Comparison { column: Some(column), test, star_is_any: false };
        Some((part(asked, "r")?.to_owned(), comparison))
    }

    /// Reads `p.x == "*"`.
    fn star(&self, text: &str) -> Option<usize> {
        let (left, right) = text.split_once("==")?;
        let ((column, "\"*\"" | "'*'") | ("\"*\"" | "'*'", column)) = (left, right) else { return None };
        self.column(part(column, "p")?)
    }

    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// Reads `section`, `key` and value of each line. A backslash at the end of a line continues it.
fn sections(text: &str) -> Result<BTreeMap<(String, String), String>, Error> {
    let (mut values, mut section, mut started) = (BTreeMap::new(), String::new(), String::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        if let Some(beginning) = line.strip_suffix('\\') {
            started.push_str(beginning);
            continue;
        }
        let line = std::mem::take(&mut started) + line;
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            values.insert((section.clone(), key.trim().to_owned()), value.trim().to_owned());
        } else {
            let message = format!("expected `[section]` or `key = value`, found {}", Quoted(&line));
            return Err(Error::invalid(format!("model: line {number}"), message));
        }
    }
    Ok(values)
}

fn list(text: &str) -> Vec<String> {
    split(&without_spaces(text), ",")
}

/// Removes spaces outside of quotation marks.
fn without_spaces(text: &str) -> String {
    let mut quote = None;
    let keep = |c: &char| {
        match quote {
            Some(open) if open == *c => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(*c),
            _ => (),
        }
        quote.is_some() || !c.is_whitespace()
    };
    text.chars().filter(keep).collect()
}

/// Splits at a separator that is in neither brackets nor quotation marks.
fn split(text: &str, separator: &str) -> Vec<String> {
    let (mut parts, mut part, mut depth, mut quote) = (Vec::new(), String::new(), 0_usize, None);
    for c in text.chars() {
        part.push(c);
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth == 0 && quote.is_none() {
            if let Some(before) = part.strip_suffix(separator) {
                parts.push(before.to_owned());
                part.clear();
            }
        }
    }
    parts.push(part);
    parts
}

/// Removes brackets around the whole.
fn unwrapped(text: &str) -> String {
    let mut text = text;
    while let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let mut depth = 0_i64;
        let closes_early = inner.chars().any(|c| {
            depth += i64::from(c == '(') - i64::from(c == ')');
            depth < 0
        });
        if closes_early {
            break;
        }
        text = inner;
    }
    text.to_owned()
}

/// The arguments of a call of this function, and nothing else.
fn call(text: &str, function: &str) -> Option<Vec<String>> {
    let arguments = text.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')?;
    (!arguments.contains(['(', ')', '&', '|', '!'])).then(|| split(arguments, ","))
}

/// `x` of `r.x`.
fn part<'a>(text: &'a str, of: &str) -> Option<&'a str> {
    let name = text.strip_prefix(of)?.strip_prefix('.')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some(name)
}

fn split_first(list: &[String]) -> Option<(String, Vec<String>)> {
    list.split_first().map(|(first, rest)| (first.clone(), rest.to_vec()))
}
