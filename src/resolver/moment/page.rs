//! Pages of lists, in bytewise order of slugs or keys.
//!
//! Each page continues after the last name of the one before. No entry is repeated or left out, whatever changes
//! between two pages.

use super::list::WhyEmpty;
use crate::model::error::EntityKind;
use crate::model::records::UserRecord;
use crate::resolver::bits::Bits;
use crate::resolver::explain::Reason;
use crate::resolver::snapshot::table::{Row, Table};

/// Asks for a part of a list: how many entries, after which one, and with which text in them.
///
/// ```
/// use rolecall::PageRequest;
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     for slug in ["engineering", "marketing", "sales"] { tx.create_group(slug)?; }
/// #     Ok(())
/// # })?;
///
/// let mut request = PageRequest::of(2);
/// let mut slugs = Vec::new();
/// loop {
///     let page = acme.now().groups(&request);
///     slugs.extend(page.items.into_iter().map(|group| group.slug));
///     let Some(next) = page.next else { break };
///     request = request.after(next);
/// }
/// assert_eq!(slugs, ["engineering", "marketing", "sales"]);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct PageRequest {
    limit: usize,
    after: Option<String>,
    search: Option<String>,
}

impl PageRequest {
    /// Asks for the first entries of a list: at most this many, and at least one.
    ///
    /// ```
    /// use rolecall::PageRequest;
    ///
    /// assert_eq!(PageRequest::of(0), PageRequest::of(1));
    /// ```
    pub fn of(limit: usize) -> Self {
        Self { limit: limit.max(1), after: None, search: None }
    }

    /// Asks for the entries after this slug or key, which is [`Page::next`] of the page before.
    ///
    /// ```
    /// use rolecall::PageRequest;
    ///
    /// let second = PageRequest::of(50).after("engineering");
    /// # let _ = second;
    /// ```
    pub fn after(mut self, name: impl Into<String>) -> Self {
        self.after = Some(name.into());
        self
    }

    /// Asks for the entries whose slug, key or name contains this text, whatever its case: `STRASSE` finds
    /// `Straße`.
    ///
    /// ```
    /// use rolecall::PageRequest;
    ///
    /// let found = PageRequest::of(50).search("eng");
    /// # let _ = found;
    /// ```
    pub fn search(mut self, text: impl Into<String>) -> Self {
        self.search = Some(folded(&text.into())).filter(|text| !text.is_empty());
        self
    }

    /// Whether one of these texts contains the search text.
    pub(crate) fn finds(&self, texts: &[&str]) -> bool {
        let Some(search) = self.search.as_deref() else { return true };
        texts.iter().any(|text| if text.is_ascii() { contains(text, search) } else { folded(text).contains(search) })
    }

    /// Whether the key or the display name of a user contains the search text.
    pub(crate) fn finds_user(&self, user: &UserRecord) -> bool {
        match user.display_name() {
            Some(name) => self.finds(&[user.key.as_str(), name.as_str()]),
            None => self.finds(&[user.key.as_str()]),
        }
    }

    pub(crate) fn from(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_after(&self, name: &str) -> bool {
        self.after.as_deref().is_none_or(|after| name > after)
    }
}

/// Case-folds a text: each character becomes the lowercase of its uppercase, by Unicode's full mappings. The step
/// through uppercase makes characters with the same uppercase equal: `ς` and `σ`, `ß` and `ss`.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// The same as `folded(text).contains(search)` for an ASCII text, without an allocation. Nearly every key is ASCII.
fn contains(text: &str, search: &str) -> bool {
    text.as_bytes().windows(search.len()).any(|part| part.eq_ignore_ascii_case(search.as_bytes()))
}

/// One page of a list. See [`PageRequest`] for how to read a whole list.
///
/// ```
/// use rolecall::records::UserRecord;
/// use rolecall::{Page, PageRequest};
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_user("alice")?;
///     tx.create_user("bob")?.done()
/// })?;
/// let page: Page<UserRecord> = acme.now().users(&PageRequest::of(1));
/// assert_eq!((page.items[0].key.as_str(), page.next.as_deref()), ("alice", Some("alice")));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Page<T> {
    /// The entries, in bytewise order of their slugs or keys.
    pub items: Vec<T>,
    /// Where the next page begins, for [`PageRequest::after`]; `None` on the last page.
    pub next: Option<String>,
    /// Why the question was not answered: the tenant is unavailable. Or the page is of `who_can`, and the permission's slug is
    /// in conflict with the catalog (R9). The page is empty then.
    pub unavailable: Option<Reason>,
    /// The kind of the entity that the question was about, if it does not exist: the group of `members`, for example. The
    /// page is empty then.
    pub unknown: Option<EntityKind>,
}

impl<T> Page<T> {
    /// A page of these numbers. There is one more than wanted if there is a next page.
    pub(crate) fn new<N: Into<String>>(
        numbers: impl IntoIterator<Item = u32>,
        page: &PageRequest,
        why: WhyEmpty,
        name: impl Fn(u32) -> N,
        item: impl Fn(u32) -> Option<T>,
    ) -> Self {
        let WhyEmpty { unavailable, unknown } = why;
        if why.is_some() {
            return Self { items: Vec::new(), next: None, unavailable, unknown };
        }
        let numbers: Vec<u32> = numbers.into_iter().take(page.limit.saturating_add(1)).collect();
        let more = numbers.len() > page.limit;
        let next = numbers.get(page.limit - 1).filter(|_| more).map(|last| name(*last).into());
        Self { items: numbers.into_iter().take(page.limit).filter_map(item).collect(), next, unavailable, unknown }
    }

    /// Whether the page is an answer: it is neither unavailable nor about something unknown.
    ///
    /// ```
    /// use rolecall::{EntityKind, PageRequest, blocking::Authorizer};
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_group("staff")?.done())?;
    /// assert!(acme.now().members("staff", &PageRequest::of(50)).is_known());
    /// let page = acme.now().members("stuff", &PageRequest::of(50));
    /// assert!(!page.is_known() && page.unknown == Some(EntityKind::Group));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn is_known(&self) -> bool {
        self.unavailable.is_none() && self.unknown.is_none()
    }
}

/// The part of a table that a page asks for.
pub(crate) fn of_table<'a, R: Row>(
    table: &'a Table<R>,
    page: &'a PageRequest,
    finds: impl Fn(&R) -> bool + 'a,
) -> impl Iterator<Item = u32> + 'a {
    let from = table.sorted_from(page.from()).skip_while(|n| !page.is_after(&table.cursor_at(*n)));
    from.filter(move |n| table.row(*n).is_some_and(&finds))
}

/// The part of a set that a page asks for, in the order of names.
///
/// The smallest names of a small set are selected. The table of a large set is scanned in order. The switch is where both
/// cost the same, so a page is cheap for a large set and for a sparse one.
pub(crate) fn of_set<R: Row>(table: &Table<R>, set: &Bits, page: &PageRequest, finds: impl Fn(&R) -> bool) -> Vec<u32> {
    let wanted = page.limit.saturating_add(1);
    let size = set.len();
    if size.saturating_mul(size) > wanted.saturating_mul(table.len()) {
        return of_table(table, page, finds).filter(|n| set.contains(*n)).take(wanted).collect();
    }
    let mut found: Vec<u32> = set
        .iter()
        .filter(|n| page.is_after(table.name_at(*n)) && table.row(*n).is_some_and(|row| row.is_listed() && finds(row)))
        .collect();
    if found.len() > wanted {
        found.select_nth_unstable_by(wanted - 1, |a, b| table.name_at(*a).cmp(table.name_at(*b)));
        found.truncate(wanted);
    }
    found.sort_unstable_by(|a, b| table.name_at(*a).cmp(table.name_at(*b)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ignores_case_as_unicode_defines_it() {
        let table = [
            ("ENG", "engineering", true),
            ("eng", "backENGine", true),
            ("STRASSE", "Hauptstraße 7", true),
            ("straße", "HAUPTSTRASSE", true),
            ("müller", "MÜLLER & SÖHNE", true),
            ("MULLER", "müller", false),
            ("отдел", "ОТДЕЛ ПРОДАЖ", true),
            ("ΣΊΣΥΦΟΣ", "ο σίσυφος", true),
            ("σίσυφος", "ΣΊΣΥΦΟΣ Α", true),
            ("\u{212a}elvin", "kelvin", true),
            ("kelvin", "\u{212a}ELVIN", true),
            ("ǆ", "ǅ", true),
            ("é", "e", false),
            ("ä", "abc", false),
            ("abcd", "abc", false),
            ("", "abc", true),
        ];
        for (search, text, found) in table {
            assert_eq!(PageRequest::of(1).search(search).finds(&["", text]), found, "{search} in {text}");
        }
    }
}
