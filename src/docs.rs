//! Pages: recipes, reference, explanations, and internals for contributors. Every example is compiled and run.

#[doc = include_str!("docs/cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("docs/web_service.md")]
pub mod web_service {}

#[doc = include_str!("docs/access_control.md")]
pub mod access_control {}

#[doc = include_str!("docs/moving_in.md")]
pub mod moving_in {}

#[doc = include_str!("docs/glossary.md")]
pub mod glossary {}

#[doc = include_str!("docs/rules.md")]
pub mod rules {}

#[doc = include_str!("docs/architecture.md")]
pub mod architecture {}

#[doc = include_str!("docs/benchmarks.md")]
pub mod benchmarks {}

#[doc = include_str!("docs/internals.md")]
pub mod internals {}

#[doc = include_str!("docs/consistency.md")]
pub mod consistency {}

#[doc = include_str!("docs/complexity.md")]
pub mod complexity {}

#[doc = include_str!("docs/scaling.md")]
pub mod scaling {}

#[doc = include_str!("docs/observability.md")]
pub mod observability {}

#[doc = include_str!("docs/review.md")]
pub mod review {}

#[doc = include_str!("docs/security.md")]
pub mod security {}

#[doc = include_str!("docs/implementing_a_store.md")]
pub mod implementing_a_store {}

/// The README's examples, compiled and run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
