//! Questions about included roles, in both directions and at any depth.
//!
//! Inclusions have no windows (R3), so the instant makes no difference. `relations.rs` has the direct ones of a role.

use super::list::List;
use super::{Inherited, Moment, Via, WithOrigin};
use crate::model::error::EntityKind;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::RoleRecord;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::names::AsRole;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;

/// An example with three roles: `owner` includes `editor`, which includes `reader`.
macro_rules! example {
    ($($line:literal),*) => {
        concat!(
            "\n```\n# let acme = rolecall::blocking::Authorizer::in_memory().create_tenant(\"acme\", \"Acme\")?;\n",
            "use rolecall::moment::Via;\n\n",
            "acme.update(|tx| {\n",
            "    tx.create_role(\"reader\")?;\n",
            "    tx.create_role(\"editor\")?.include(\"reader\")?;\n",
            "    tx.create_role(\"owner\")?.include(\"editor\")?.done()\n",
            "})?;\n",
            $($line, "\n",)*
            "# let _ = Via::Direct;\n",
            "# Ok::<(), rolecall::Error>(())\n```"
        )
    };
}

impl Moment<'_> {
    /// Returns all roles that a role includes, directly or through others, by slug. Each comes with where it is on a shortest
    /// path: included by the role itself ([`Via::Direct`]), or by another one ([`Via::Role`]).
    #[doc = example!(
        "let below = acme.now().all_includes_of(\"owner\");",
        "assert_eq!((below[0].record.slug().as_str(), &below[0].via), (\"editor\", &Via::Direct));",
        "assert_eq!((below[1].record.slug().as_str(), &below[1].via), (\"reader\", &Via::Role(\"editor\".parse()?)));"
    )]
    ///
    /// # Complexity
    /// O(roles included and their inclusions).
    pub fn all_includes_of(&self, role: impl AsRole) -> List<Inherited<WithOrigin<RoleRecord>>> {
        self.reached(role, |state, role| state.includes(role).collect())
    }

    /// Returns the roles that include a role directly, by slug.
    #[doc = example!(
        "let includers = acme.now().includers_of(\"reader\");",
        "assert_eq!((includers.len(), includers[0].slug().as_str()), (1, \"editor\"));"
    )]
    ///
    /// # Complexity
    /// O(n log n) for n roles that include it.
    pub fn includers_of(&self, role: impl AsRole) -> List<WithOrigin<RoleRecord>> {
        let snapshot = self.compiled();
        let roles = &snapshot.state.roles;
        let role = role.role(snapshot.scope()).filter(|role| roles.row(*role).is_some());
        List::about(role, self.about(EntityKind::Role, role.is_some()), |role| {
            let rows = snapshot.state.includers(role).filter_map(|n| must(roles.row(n), NEAR_END));
            let mut includers: Vec<WithOrigin<RoleRecord>> = rows.map(WithOrigin::from).collect();
            includers.sort_by(WithOrigin::in_order);
            includers
        })
    }

    /// Returns all roles that include a role, directly or through others, by slug. Their holders hold the role, too. Each
    /// comes with where it is on a shortest path: it includes the role itself ([`Via::Direct`]), or another one that does
    /// ([`Via::Role`]).
    #[doc = example!(
        "let above = acme.now().all_includers_of(\"reader\");",
        "assert_eq!((above[0].record.slug().as_str(), &above[0].via), (\"editor\", &Via::Direct));",
        "assert_eq!((above[1].record.slug().as_str(), &above[1].via), (\"owner\", &Via::Role(\"editor\".parse()?)));"
    )]
    ///
    /// # Complexity
    /// O(roles that include it, and their inclusions).
    pub fn all_includers_of(&self, role: impl AsRole) -> List<Inherited<WithOrigin<RoleRecord>>> {
        self.reached(role, |state, role| state.includers(role).collect())
    }

    /// The roles that are reached from a role, breadth first, without the role itself.
    fn reached(&self, role: impl AsRole, next: fn(&State, u32) -> Vec<u32>) -> List<Inherited<WithOrigin<RoleRecord>>> {
        let snapshot = self.compiled();
        let (state, roles) = (&snapshot.state, &snapshot.state.roles);
        let role = role.role(snapshot.scope()).filter(|role| roles.row(*role).is_some());
        List::about(role, self.about(EntityKind::Role, role.is_some()), |role| {
            let found = graph::breadth_first([role], |role| next(state, role)).into_iter();
            let via = |from| if from == role { Some(Via::Direct) } else { Via::of(state, Source::Role(from)) };
            let rows = found.filter_map(|(n, from)| Some((must(roles.row(n), NEAR_END)?, via(from?)?)));
            let mut reached: Vec<Inherited<WithOrigin<RoleRecord>>> =
                rows.map(|(row, via)| Inherited { record: row.into(), via, suspended: false }).collect();
            reached.sort_by(|a, b| a.record.in_order(&b.record));
            reached
        })
    }
}
