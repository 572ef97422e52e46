//! The notifications that commits send by NOTIFY, over either client: the channel, and the texts.

use uuid::Uuid;

/// The name of the channel: longer names than 63 bytes are refused. Schemas whose names differ only behind that share a
/// channel, and ignore each other's hints.
pub(crate) fn channel(schema: &str) -> String {
    const PREFIX: &str = "rolecall.";
    let end = (0..=schema.len().min(63 - PREFIX.len())).rev().find(|end| schema.is_char_boundary(*end));
    format!("{PREFIX}{}", schema.get(..end.unwrap_or(0)).unwrap_or(""))
}

/// The notification of a commit.
pub(crate) fn payload(tenant_id: Uuid, revision: i64) -> String {
    format!("{tenant_id} {revision}")
}

/// The notification of a test.
pub(crate) fn of_test(test: Uuid) -> String {
    format!("test {test}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_at_most_63_bytes() {
        assert_eq!(channel("rolecall"), "rolecall.rolecall");
        for schema in ["a".repeat(63), "é".repeat(31), "日本語".repeat(7)] {
            let channel = channel(&schema);
            assert!(channel.len() <= 63 && channel.len() > 58, "{channel}");
        }
    }
}
