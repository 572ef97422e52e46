//! Slugs (R10): the machine-readable names of permissions, roles, groups and tenants.

use std::fmt;

use any_ascii::any_ascii;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::text::text_traits;
use crate::model::error::{Error, Result};

/// The machine-readable name of a permission, a role or a group: 1 to 255 visible ASCII characters other than `*`.
///
/// Compared byte for byte: `Editor` and `editor` are two slugs.
///
/// ```
/// use rolecall::records::Slug;
/// use std::collections::BTreeMap;
///
/// let slug: Slug = "posts:write".parse()?;
/// let by_slug = BTreeMap::from([(slug, 1)]);
/// assert_eq!(by_slug.get("posts:write"), Some(&1), "a map is searched with a `&str`");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(SmolStr);

const SLUG: &str = "1 to 255 visible ASCII characters other than `*`";

impl Slug {
    /// Validates a slug.
    ///
    /// ```
    /// use rolecall::records::Slug;
    ///
    /// assert!(Slug::new("posts:write").is_ok());
    /// assert!(Slug::new("posts:*").is_err(), "this is a pattern");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn new(text: &str) -> Result<Self> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'*');
        if fits { Ok(Self(text.into())) } else { Err(Error::invalid("slug", text, SLUG)) }
    }

    /// Derives a slug from a name. The name is transliterated to ASCII and changed to lower case. Each run of other
    /// characters becomes one `-`, except at the ends.
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
    /// [`Invalid`](crate::ErrorKind::Invalid) if the result is empty or longer than 255 characters.
    pub fn from_name(name: &str) -> Result<Self> {
        slug_of(name).and_then(|slug| Self::new(&slug))
    }
}

/// The machine-readable name of a tenant, which fits into URLs: 1 to 63 characters of `a` to `z`, `0` to `9` and `-`.
/// Ordered by its bytes.
///
/// ```
/// use rolecall::records::TenantSlug;
///
/// assert_eq!("acme-corp".parse::<TenantSlug>()?, "acme-corp");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantSlug(SmolStr);

const TENANT_SLUG: &str = "1 to 63 characters of a-z, 0-9 and `-`";

impl TenantSlug {
    /// Validates a tenant's slug.
    ///
    /// ```
    /// use rolecall::records::TenantSlug;
    ///
    /// assert!(TenantSlug::new("acme-corp").is_ok());
    /// assert!(TenantSlug::new("Acme Corp").is_err());
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn new(text: &str) -> Result<Self> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(Error::invalid("tenant slug", text, TENANT_SLUG)) }
    }

    /// Derives a slug from a name, as [`Slug::from_name`] does.
    ///
    /// ```
    /// use rolecall::records::TenantSlug;
    ///
    /// assert_eq!(TenantSlug::from_name("Acme Corp.")?, "acme-corp");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the result is empty or longer than 63 characters.
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
        return Err(Error::invalid("name to derive a slug from", name, "at least one letter or digit"));
    }
    Ok(slug)
}

text_traits!(Slug: "posts:write", TenantSlug: "acme-corp");

/// Copies the slug, as `String` does. A map needs this to create an entry from a borrowed key.
impl From<&TenantSlug> for TenantSlug {
    fn from(slug: &TenantSlug) -> Self {
        slug.clone()
    }
}

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
    fn r10_a_tenant_slug_is_safe_in_urls() {
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
