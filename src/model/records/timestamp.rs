//! Instants (R3): whole microseconds since 1970 in the years 0000 to 9999 UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::format::ParseErrorKind;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::error::{Error, Result};

/// A point in time: whole microseconds since the start of 1970 UTC, in the years 0000 to 9999.
///
/// The text form is RFC 3339. Human-readable formats such as JSON use it; binary formats use the microseconds as an
/// `i64`.
///
/// ```
/// use rolecall::Timestamp;
///
/// let instant: Timestamp = "2027-01-31T01:00:00+01:00".parse()?;
/// assert_eq!(instant.to_string(), "2027-01-31T00:00:00Z");
/// assert_eq!(serde_json::to_string(&instant).unwrap(), r#""2027-01-31T00:00:00Z""#);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Timestamp {
    /// The first microsecond of the year 0000.
    ///
    /// ```
    /// use rolecall::Timestamp;
    ///
    /// assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
    /// ```
    pub const MIN: Self = Self(-62_167_219_200 * SECOND);
    /// The last microsecond of the year 9999.
    ///
    /// ```
    /// use rolecall::Timestamp;
    ///
    /// assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    /// ```
    pub const MAX: Self = Self(253_402_300_800 * SECOND - 1);

    /// The start of 1970 UTC.
    ///
    /// ```
    /// use rolecall::Timestamp;
    ///
    /// assert_eq!(Timestamp::UNIX_EPOCH.as_micros(), 0);
    /// ```
    pub const UNIX_EPOCH: Self = Self(0);

    /// Returns the instant this many microseconds after the start of 1970 UTC.
    ///
    /// ```
    /// use rolecall::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_micros(1)?.to_string(), "1970-01-01T00:00:00.000001Z");
    /// assert!(Timestamp::from_micros(i64::MAX).is_err());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) outside the years 0000 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self> {
        let expected = "a year from 0000 to 9999";
        Self::checked(micros).ok_or_else(|| Error::invalid("instant", &micros.to_string(), expected))
    }

    /// As [`from_micros`](Self::from_micros), for callers that would drop the error.
    #[inline]
    pub(crate) const fn checked(micros: i64) -> Option<Self> {
        if Self::MIN.0 <= micros && micros <= Self::MAX.0 { Some(Self(micros)) } else { None }
    }

    /// Returns the instant this many seconds after the start of 1970 UTC.
    ///
    /// ```
    /// use rolecall::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_secs(1_800_000_000)?.to_string(), "2027-01-15T08:00:00Z");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) outside the years 0000 to 9999.
    pub fn from_secs(secs: i64) -> Result<Self> {
        Self::from_micros(secs.saturating_mul(SECOND))
    }

    /// Returns the microseconds since the start of 1970 UTC.
    ///
    /// ```
    /// use rolecall::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_secs(2)?.as_micros(), 2_000_000);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Converts a reading of the system's clock, rounded down to the microsecond. A reading outside the years 0000 to
    /// 9999 becomes [`MIN`](Self::MIN) or [`MAX`](Self::MAX).
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// let reading = UNIX_EPOCH + Duration::from_nanos(1_999);
    /// assert_eq!(Timestamp::from_system_time(reading).as_micros(), 1);
    /// ```
    pub fn from_system_time(time: SystemTime) -> Self {
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        let since = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            // Before 1970, rounding down moves away from zero.
            Err(before) => -micros(before.duration().saturating_add(Duration::from_nanos(999))),
        };
        Self(since.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Returns the instant this much later, at most [`MAX`](Self::MAX).
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use std::time::Duration;
    ///
    /// let minute = Duration::from_secs(60);
    /// assert_eq!(Timestamp::UNIX_EPOCH.saturating_add(minute), Timestamp::from_secs(60)?);
    /// assert_eq!(Timestamp::MAX.saturating_add(minute), Timestamp::MAX);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::MAX.0))
    }

    /// Returns the instant this much earlier, at least [`MIN`](Self::MIN).
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use std::time::Duration;
    ///
    /// let minute = Duration::from_secs(60);
    /// assert_eq!(Timestamp::UNIX_EPOCH.saturating_sub(minute), Timestamp::from_secs(-60)?);
    /// assert_eq!(Timestamp::MIN.saturating_sub(minute), Timestamp::MIN);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(Self::MIN.0))
    }

    /// Parses RFC 3339 with an offset and at most six digits of a second, as `str::parse` does.
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// assert_eq!(Timestamp::parse("2027-01-31T01:00:00+01:00")?.to_string(), "2027-01-31T00:00:00Z");
    /// assert!(Timestamp::parse("2027-01-31T00:00:00").is_err(), "no offset");
    /// assert!(Timestamp::parse("2027-01-31T00:00:00.0000001Z").is_err(), "finer than a microsecond");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn parse(text: &str) -> Result<Self> {
        const EXPECTED: &str = "RFC 3339 with an offset, like 2027-01-31T00:00:00Z";
        let invalid = |expected: &str| Error::invalid("instant", text, expected);
        let read = chrono::DateTime::parse_from_rfc3339;
        // The parser accepts two things that RFC 3339 does not: a space instead of the `T`, and surrounding text.
        if text.as_bytes().get(10).is_none_or(|b| !b.eq_ignore_ascii_case(&b'T')) || text.contains(char::is_whitespace)
        {
            return Err(invalid(EXPECTED));
        }
        let time = read(text).map_err(|error| match error.kind() {
            ParseErrorKind::OutOfRange | ParseErrorKind::Impossible => invalid("a date and a time that exist"),
            _ if read(&format!("{text}Z")).is_ok() => invalid("an offset at the end, like `Z` or `+01:00`"),
            _ => invalid(EXPECTED),
        })?;
        let digits = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
        if digits > 6 {
            return Err(invalid("at most six digits of a second: instants are whole microseconds"));
        }
        if time.timestamp_subsec_micros() >= 1_000_000 {
            return Err(invalid("a second from 00 to 59: instants have no leap seconds"));
        }
        Self::from_micros(time.timestamp_micros()).map_err(|_| invalid("an instant in the years 0000 to 9999 in UTC"))
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = Error;

    fn try_from(micros: i64) -> Result<Self> {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Rfc3339;

        impl de::Visitor<'_> for Rfc3339 {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an instant as RFC 3339 text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Timestamp, E> {
                Timestamp::parse(text).map_err(E::custom)
            }
        }

        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Rfc3339)
        } else {
            Self::from_micros(i64::deserialize(deserializer)?).map_err(de::Error::custom)
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, micros) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let (secs, micros) = (micros / SECOND, micros % SECOND);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The proleptic Gregorian date of a day counted from 1970-01-01.
///
/// Years are counted from 1 March, so that the leap day is the last of its year, in cycles of 400 years.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // days from 0000-03-01
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r3_the_clock_is_rounded_down_to_microseconds() {
        let at = |nanos: u64, before: bool| {
            let d = Duration::from_nanos(nanos);
            Timestamp::from_system_time(if before { UNIX_EPOCH - d } else { UNIX_EPOCH + d }).as_micros()
        };
        assert_eq!((at(1_999, false), at(1, true), at(1_000, true), at(1_001, true)), (1, -1, -1, -2));
    }

    #[test]
    fn r3_instants_are_bounded() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert!(Timestamp::from_micros(Timestamp::MAX.as_micros() + 1).is_err());
        assert!(Timestamp::from_micros(Timestamp::MIN.as_micros() - 1).is_err());
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
    }

    #[test]
    fn r3_rfc_3339_is_read_strictly() {
        for good in [
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
            "2024-02-29T12:00:00.5+00:00",
            "2027-01-01t00:00:00z",
        ] {
            assert!(Timestamp::parse(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "2027",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-01-01 00:00:00Z",
            " 2027-01-01T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2016-12-31T23:59:60Z",
            "2027-01-01T00:00:00.1234567Z",
            "0000-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "+12027-01-01T00:00:00Z",
            "2027-01-01T00:00:00+0100",
            "-001-01-01T00:00:00Z",
            "2027-01-01T00:00:00Zx",
            "2027-01-01T00:00:00.Z",
        ];
        for bad in bad {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_agree(micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
            let timestamp = Timestamp::from_micros(micros).unwrap();
            prop_assert_eq!(timestamp.to_string().parse::<Timestamp>().unwrap(), timestamp);
        }
    }
}
