//! What is asked of everybody who keeps the organisation and answers about it.
//!
//! A change is made twice: in [`Plain`], which is the application's own and not timed, and in the peer, which is. Each
//! file of a peer says which version and which use of it this is, what it was given, and what it cannot do.

pub(crate) mod ours;
pub(crate) mod by_hand;
pub(crate) mod casbin;
pub(crate) mod cedar;
pub(crate) mod gatehouse;
pub(crate) mod gatehouse_rbac;
pub(crate) mod role_system;
pub(crate) mod rs_tenant;

use uuid::Uuid;

use crate::common::pace::Contestant;
use crate::common::questions::Question;
use crate::plain::Plain;

/// Those that keep who has which role and what it grants; gatehouse decides over what the application keeps.
pub(crate) const MODEL_ROLES: [&str; 5] = ["casbin", "cedar", "cedar_relation", "role_system", "rs_tenant"];

/// Somebody who keeps the organisation and answers about it.
pub(crate) trait Peer<const N: usize> {
    fn name(&self) -> &'static str;

    /// How many questions it is given at most: a peer of microseconds cannot learn a shorter list by heart, and its
    /// words take memory.
    fn most(&self) -> usize {
        1 << 14
    }

    /// The questions in its words.
    fn asked<'a>(&'a self, plain: &Plain<'_, N>, questions: &[Question]) -> Contestant<'a>;

    /// A user has just left a group, or is about to be back in it.
    fn leave(&mut self, plain: &Plain<'_, N>, user: u32, group: u32);

    /// Takes it back; not timed.
    fn join(&mut self, plain: &Plain<'_, N>, user: u32, group: u32);

    /// A role has just lost one grant.
    fn revoke(&mut self, plain: &Plain<'_, N>, role: u32, permission: u32);

    /// Takes it back; not timed.
    fn grant(&mut self, plain: &Plain<'_, N>, role: u32, permission: u32);

    /// Which of these users may do this. Who is asked one by one, is asked with this.
    fn who_can(&self, plain: &Plain<'_, N>, permission: u32, users: &mut dyn Iterator<Item = u32>) -> Vec<Uuid>;

    /// Whether [`Peer::who_can`] is a question of its own, whose answer is about all users however few are given.
    fn answers_at_once(&self) -> bool {
        false
    }
}
