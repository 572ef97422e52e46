//! The trait that each contestant implements, and the contestants.
//!
//! A change is made twice: in [`AppData`], which is not timed, and in the peer, which is. The file of each peer states the
//! version, the documented use, the input, and what the library cannot do.

pub(crate) mod ours;
pub(crate) mod by_hand;
pub(crate) mod casbin;
pub(crate) mod cedar;
pub(crate) mod gatehouse;
pub(crate) mod gatehouse_rbac;
pub(crate) mod role_system;
pub(crate) mod rs_tenant;

use uuid::Uuid;

use crate::app_data::AppData;
use crate::common::questions::Question;
use crate::common::timing::Contestant;

/// The libraries that store roles and grants. gatehouse decides on data that the application keeps.
pub(crate) const MODEL_ROLES: [&str; 5] = ["casbin", "cedar", "cedar_relation", "role_system", "rs_tenant"];

/// A contestant that keeps the organisation and answers questions about it.
pub(crate) trait Peer<const N: usize> {
    fn name(&self) -> &'static str;

    /// The longest list of questions. Slow peers get a shorter list, since their form of the questions takes memory.
    fn most(&self) -> usize {
        1 << 14
    }

    /// Returns the questions in the form that it takes.
    fn asked<'a>(&'a self, app_data: &AppData<'_, N>, questions: &[Question]) -> Contestant<'a>;

    /// Removes a user from a group. `app_data` has the change already.
    fn leave(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32);

    /// Undoes the change; not timed.
    fn join(&mut self, app_data: &AppData<'_, N>, user: u32, group: u32);

    /// Revokes one grant of a role. `app_data` has the change already.
    fn revoke(&mut self, app_data: &AppData<'_, N>, role: u32, permission: u32);

    /// Undoes the change; not timed.
    fn grant(&mut self, app_data: &AppData<'_, N>, role: u32, permission: u32);

    /// Returns those of these users who have a permission.
    fn who_can(&self, app_data: &AppData<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid>;

    /// Whether the library answers [`Peer::who_can`] for all users in one call, whatever users are given.
    fn answers_for_all(&self) -> bool {
        false
    }
}
