//! The access report and the comparison of two states, checked with the reference model.

use std::collections::BTreeSet;

use rolecall::Snapshot;
use rolecall::records::{Slug, UserKey};
use rolecall::what_if::Question;

use super::calls::INSTANTS;
use super::{Expected, at};

impl Expected {
    /// The permissions of each user at an instant.
    fn allowed(&self, secs: i64) -> BTreeSet<(UserKey, Slug)> {
        let here = self.effective.iter().filter(|(_, instant, _)| *instant == at(secs));
        here.flat_map(|(user, _, slugs)| slugs.iter().map(|slug| (user.key.clone(), slug.clone()))).collect()
    }

    /// The rows of a report are the allowed permissions, each once, and the effective permissions of a user are those
    /// of its rows.
    pub(super) fn matches_reports_of(&self, snapshot: &Snapshot) {
        for secs in INSTANTS {
            let moment = snapshot.at(at(secs));
            let rows: Vec<_> = moment.access_report().rows().collect();
            let pairs: Vec<_> = rows.iter().map(|row| (row.user.clone(), row.permission.clone())).collect();
            assert!(pairs.iter().eq(&self.allowed(secs)), "in order, each once, at {secs}");
            for row in rows {
                assert!(row.window.contains(at(secs)) && row.path.window().contains(at(secs)));
                assert!(row.window.covers(row.path.window()));
            }
        }
    }
}

/// The comparison of two states lists exactly what the reference model allows in one of them only, and the replay of
/// every question the same.
pub(super) fn compared_rightly(before: (&Snapshot, &Expected), after: (&Snapshot, &Expected)) {
    let changes: Vec<_> = before.0.compare_access(after.0, at(INSTANTS[0])).collect();
    let keys: BTreeSet<&UserKey> = before.1.users.union(&after.1.users).collect();
    let slugs: BTreeSet<&Slug> = before.1.permissions.iter().chain(&after.1.permissions).collect();
    for secs in INSTANTS {
        let (had, has) = (before.1.allowed(secs), after.1.allowed(secs));
        let (mut gained, mut lost) = (BTreeSet::new(), BTreeSet::new());
        for change in &changes {
            for (found, listed) in [(&mut gained, &change.gained), (&mut lost, &change.lost)] {
                let during = listed.iter().filter(|one| one.windows.iter().any(|window| window.contains(at(secs))));
                found.extend(during.map(|one| (change.user.clone(), one.permission.clone())));
            }
        }
        assert!(gained == &has - &had && lost == &had - &has, "at {secs}: {changes:?}");
        let log = keys.iter().flat_map(|key| slugs.iter().map(|slug| Question::new(key.as_str(), slug.as_str())));
        let differing = before.0.replay(after.0, log, at(secs));
        let differing: BTreeSet<_> = differing.map(|one| (one.question.user, one.question.permission)).collect();
        let expected = had.symmetric_difference(&has).map(|(key, slug)| (key.to_string(), slug.to_string()));
        assert_eq!(differing, expected.collect());
    }
}
