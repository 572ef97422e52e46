//! Slugs (R10): the names by which people and programs call permissions, roles, groups and tenants.

use std::fmt;

use any_ascii::any_ascii;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::text::text_traits;
use crate::model::error::{Error, Result};

/// The machine-readable name of a permission, a role or a group: 1 to 255 visible ASCII characters, `*` excepted.
///
/// Compared byte for byte: `Editor` and `editor` are two slugs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(SmolStr);

const SLUG: &str = "1 to 255 visible ASCII characters other than `*`";

impl Slug {
    /// Reads a slug.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn new(text: &str) -> Result<Self> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'*');
        if fits { Ok(Self(text.into())) } else { Err(Error::invalid("slug", text, SLUG)) }
    }

    /// Makes a slug from a name: transliterated to ASCII, in lower case, every run of other characters one `-`, none at
    /// the ends.
    ///
    /// ```
    /// use rolecall::records::Slug;
    /// assert_eq!(Slug::from_name("Engineering & Design (EU)")?.as_str(), "engineering-design-eu");
    /// assert_eq!(Slug::from_name("Müller & Söhne")?.as_str(), "muller-sohne");
    /// assert_eq!(Slug::from_name("Отдел продаж")?.as_str(), "otdel-prodazh");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if nothing or more than 255 characters are left.
    pub fn from_name(name: &str) -> Result<Self> {
        slug_of(name).and_then(|slug| Self::new(&slug))
    }
}

/// The name of a tenant, which stands in URLs: 1 to 63 characters of `a` to `z`, `0` to `9` and `-`. Ordered by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantSlug(SmolStr);

const TENANT_SLUG: &str = "1 to 63 characters of a-z, 0-9 and `-`";

impl TenantSlug {
    /// Reads a tenant's slug.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn new(text: &str) -> Result<Self> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(Error::invalid("tenant slug", text, TENANT_SLUG)) }
    }

    /// The slug made from a name, as [`Slug::from_name`] does.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if nothing or more than 63 characters are left.
    pub fn from_name(name: &str) -> Result<Self> {
        slug_of(name).and_then(|slug| Self::new(&slug))
    }
}

fn slug_of(name: &str) -> Result<String> {
    let mut slug = String::with_capacity(name.len());
    for c in any_ascii(name).chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() {
        return Err(Error::invalid("name to make a slug from", name, "a letter or a digit"));
    }
    Ok(slug)
}

text_traits!(Slug, TenantSlug);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r10_a_slug_is_visible_ascii_without_a_star() {
        let long = "a".repeat(255);
        for good in ["a", "users:read", "Microsoft.Storage/storageAccounts/read", "/api/:get", "~", "!", &long] {
            assert_eq!(Slug::new(good).unwrap().as_str(), good);
        }
        let longer = "a".repeat(256);
        for bad in ["", " ", "a b", "a ", "users:*", "*", "\u{7f}", "\n", "a\0", "naïve", "İ", &longer] {
            assert!(Slug::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn r10_a_tenant_slug_stands_in_urls() {
        let long = "a".repeat(63);
        for good in ["a", "acme-corp", "0", "-", &long] {
            assert!(TenantSlug::new(good).is_ok(), "{good:?}");
        }
        let longer = "a".repeat(64);
        for bad in ["", "Acme", "a_b", "a.b", "a/b", "ä", " a", &longer] {
            assert!(TenantSlug::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn r10_a_slug_is_made_from_a_name() {
        let table = [
            ("Engineering", "engineering"),
            ("  Sales -- EMEA  ", "sales-emea"),
            ("Ünïcode 7", "unicode-7"),
            ("R&D", "r-d"),
            ("Müller & Söhne", "muller-sohne"),
            ("Straße", "strasse"),
            ("e\u{301}tude", "etude"),
            ("İstanbul", "istanbul"),
            ("Łódź", "lodz"),
            ("Đặng", "dang"),
            ("O’Brien", "o-brien"),
            ("Zürich—Nord", "zurich-nord"),
            ("ﬁve ½", "five-1-2"),
            ("K\u{212a}", "kk"),
            ("Ελλάδα", "ellada"),
            ("Отдел продаж", "otdel-prodazh"),
            ("日本", "riben"),
            ("한국 1", "hangug-1"),
        ];
        for (name, slug) in table {
            assert_eq!(Slug::from_name(name).unwrap().as_str(), slug);
        }
        for bad in ["", "---", "\u{e000}", "\u{301}", &"x".repeat(256), &"ß".repeat(128)] {
            assert!(Slug::from_name(bad).is_err(), "{bad:?}");
        }
    }
}
