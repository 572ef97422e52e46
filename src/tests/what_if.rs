//! Comparisons of two states and replayed questions, compared with the reference model user by user.

use std::collections::{BTreeMap, BTreeSet};

use super::histories::{INSTANTS, PERMISSIONS, USERS, at};
use crate::Decision;
use crate::Timestamp;
use crate::model::records::Slug;
use crate::model::reference::Model;
use crate::resolver::snapshot::Snapshot;
use crate::what_if::{PermissionWindows, Question};

/// The permissions of each user at each instant, by key and slug.
pub(super) struct Answers(BTreeMap<Timestamp, BTreeSet<(String, String)>>);

impl Answers {
    pub(super) fn of(model: &Model<'_>) -> Self {
        let of_user = |user: &crate::records::UserRecord, at| {
            let pair = |slug: Slug| (user.key.to_string(), slug.to_string());
            model.effective(user.id, at).into_iter().map(pair).collect::<Vec<_>>()
        };
        let allowed = |at| model.users().flat_map(|user| of_user(user, at)).collect();
        Self(INSTANTS.map(at).map(|at| (at, allowed(at))).into())
    }
}

/// A state, and the permissions that the reference model allows in it.
pub(super) type Side<'a> = (&'a Snapshot, &'a Answers);

/// The comparison lists exactly who gains and loses what, and when, and the replay exactly the answers that differ. No
/// window begins or ends between two of the instants.
pub(super) fn agrees(before: Side<'_>, after: Side<'_>) {
    for from in [0, 3] {
        compared_rightly(before, after, at(INSTANTS[from]));
    }
    replayed_rightly(before, after);
}

fn compared_rightly(before: Side<'_>, after: Side<'_>, from: Timestamp) {
    let changes: Vec<_> = before.0.compare_access(after.0, from).collect();
    assert!(changes.windows(2).all(|two| two[0].user < two[1].user), "by key, each once");
    for change in &changes {
        assert!(!change.gained.is_empty() || !change.lost.is_empty());
        for one in change.gained.iter().chain(&change.lost) {
            assert!(!one.windows.is_empty());
            let apart = |two: &[crate::Window]| two[0].end().is_some_and(|end| Some(end) < two[1].start());
            assert!(one.windows.windows(2).all(apart), "{one}");
            assert!(one.windows.iter().all(|window| window.start().is_none_or(|start| start > from)), "{one}");
        }
    }
    let listed = |of: fn(&crate::what_if::UserAccessChange) -> &Vec<PermissionWindows>, at: Timestamp| {
        let mut found = BTreeSet::new();
        for change in &changes {
            let during = of(change).iter().filter(|one| one.windows.iter().any(|window| window.contains(at)));
            found.extend(during.map(|one| (change.user.to_string(), one.permission.to_string())));
        }
        found
    };
    for (at, had) in before.1.0.range(from..) {
        let has = &after.1.0[at];
        assert_eq!(listed(|change| &change.gained, *at), has - had, "at {at}");
        assert_eq!(listed(|change| &change.lost, *at), had - has, "at {at}");
    }
}

fn replayed_rightly(before: Side<'_>, after: Side<'_>) {
    let keys = USERS.into_iter().chain(["a", "nobody", "\u{0}"]);
    let pairs: Vec<_> =
        keys.flat_map(|user| PERMISSIONS.into_iter().chain(["nothing", "a:*"]).map(move |slug| (user, slug))).collect();
    // Other instants are those of the questions. The one that the replay is given is for those without.
    let elsewhere = |n: usize| (n % 3 == 0).then(|| at(INSTANTS[n % INSTANTS.len()]));
    for instant in INSTANTS.map(at) {
        let asked = pairs.iter().enumerate().map(|(n, (user, slug))| {
            let question = Question::new(*user, *slug);
            elsewhere(n).map_or(question.clone(), |other| question.at(other))
        });
        let asked: Vec<Question> = asked.collect();
        let answer = |side: Side<'_>, question: &Question| {
            let pair = (question.user.clone(), question.permission.clone());
            side.1.0[&question.at.unwrap_or(instant)].contains(&pair)
        };
        let differ = asked.iter().filter(|question| answer(before, question) != answer(after, question));
        let found: Vec<_> = before.0.replay(after.0, asked.clone(), instant).collect();
        assert!(found.iter().map(|changed| &changed.question).eq(differ), "in order");
        for changed in &found {
            for (side, decision) in [(before, changed.before), (after, changed.after)] {
                let (user, slug) = (changed.question.user.as_str(), changed.question.permission.as_str());
                let moment = side.0.at(changed.question.at.unwrap_or(instant));
                assert_eq!(moment.decide(user, slug), decision);
                assert_eq!(answer(side, &changed.question), decision == Decision::Allowed);
            }
        }
    }
}
