//! Why it is as it is, what is promised, and what it costs: the pages of `src/docs/`, with every example run.

#[doc = include_str!("docs/cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("docs/when_to_use.md")]
pub mod when_to_use {}

#[doc = include_str!("docs/rules.md")]
pub mod rules {}

#[doc = include_str!("docs/design.md")]
pub mod design {}

#[doc = include_str!("docs/consistency.md")]
pub mod consistency {}

#[doc = include_str!("docs/complexity.md")]
pub mod complexity {}

#[doc = include_str!("docs/scaling.md")]
pub mod scaling {}

#[doc = include_str!("docs/security.md")]
pub mod security {}

#[doc = include_str!("docs/implementing_a_store.md")]
pub mod implementing_a_store {}

#[doc = include_str!("docs/internals.md")]
pub mod internals {}

/// The README's examples, compiled and run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
