//! An edge of the compiled tables, and what is kept of it at its other end. Next: `edges.rs`, those that leave a user or
//! a group.

use crate::model::records::Window;

/// The name of the fault that an edge is not known at its other end (I9).
pub(crate) const FAR_END: &str = "an edge is known at both its ends";
/// The name of the fault that an edge leads nowhere.
pub(crate) const NEAR_END: &str = "an edge leads to a row";

/// An edge to a number, and when it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) to: u32,
    pub(crate) window: Window,
}

/// The other end of an [`Edge`]: the number it comes from, and whether it has a window, which is kept there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReverseEdge(u32);

const WINDOWED: u32 = 1 << 31;

/// Numbers stay below this, so that one bit is free beside them, and beside the number after them.
pub(crate) const MOST_NUMBERS: u32 = WINDOWED - 1;

impl ReverseEdge {
    pub(crate) fn new(from: u32, window: Window) -> Self {
        Self(if window.is_always() { from } else { from | WINDOWED })
    }

    pub(crate) fn from(self) -> u32 {
        self.0 & !WINDOWED
    }

    pub(crate) fn is_windowed(self) -> bool {
        self.0 & WINDOWED != 0
    }
}
