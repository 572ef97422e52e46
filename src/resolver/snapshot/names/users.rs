//! The types that name a user: texts, ids, and references to them. Handles are in `names.rs`.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use uuid::Uuid;

use super::found::{Found, FoundUsual};
use super::sealed::{self, Scope};
use super::{AsUser, External};
use crate::model::error::Asked;
use crate::model::records::{UserId, UserKey, UserRecord};
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::table::Row as _;

macro_rules! user_by_text {
    ($($type:ty: |$self_:ident, $row:ident| $by:ident, $hash:ident, $likely:ident, $of:expr, $text:expr, $shown:expr;)*) => {$(
        impl sealed::User for $type {
            #[inline]
            fn user(&self, scope: Scope<'_>) -> Option<u32> {
                let $self_ = self;
                scope.0.state.users.$by($text)
            }

            #[inline]
            fn hash(&self, scope: Scope<'_>) -> Option<u64> {
                let $self_ = self;
                Some(scope.0.state.users.$hash($text))
            }

            #[inline]
            fn likely(&self, scope: Scope<'_>, hash: u64) -> Option<u32> {
                scope.0.state.users.$likely(hash)
            }

            #[inline]
            fn is(&self, $row: &UserRecord) -> bool {
                let $self_ = self;
                $of == Some($text)
            }

            fn user_text(&self) -> Asked {
                let $self_ = self;
                $shown
            }
        }

        impl AsUser for $type {}
    )*};
    (keys: $($type:ty),*) => {
        user_by_text! {$(
            $type: |key, record| by_name, hash_of_name, likely_by_name, Some(record.key.as_str()), key.as_ref(),
                Asked::from(AsRef::<str>::as_ref(key));
        )*}
    };
}

macro_rules! user_by_id {
    ($($type:ty: |$self_:ident| $id:expr, $shown:expr;)*) => {$(
        impl sealed::User for $type {
            #[inline]
            fn user(&self, scope: Scope<'_>) -> Option<u32> {
                let $self_ = self;
                scope.0.state.user_by_id($id)
            }

            #[inline]
            fn found_usual<'a>(&self, scope: Scope<'a>) -> Option<FoundUsual<'a>> {
                let $self_ = self;
                scope.0.state.usual_index_entry($id).map(FoundUsual::by_entry)
            }

            #[inline]
            fn with_found_wide<'a, R>(&self, scope: Scope<'a>, call: impl FnOnce(Found<'a>) -> R) -> Option<R> {
                let $self_ = self;
                scope.0.state.with_wide_index_entry($id, |entry| call(Found::by_entry(entry)))
            }

            fn user_text(&self) -> Asked {
                let $self_ = self;
                $shown
            }
        }

        impl AsUser for $type {}
    )*};
}

// The index by id contains the data of a user that a check needs.
user_by_id! {
    Uuid: |id| *id, Asked::by_id(*id);
    UserId: |id| id.as_uuid(), Asked::by_id(id.as_uuid());
    UserRecord: |record| record.id.as_uuid(), Asked::by_id(record.id.as_uuid());
}
user_by_text!(keys: str, String, Box<str>, Arc<str>, Rc<str>, Cow<'_, str>, UserKey);
user_by_text! {
    External<'_>: |external, record| by_external, hash_of_external, likely_by_external, UserRow::external_of(record),
        external.pair(), external.asked();
}

// By any reference. Permissions and roles cannot have this: a reference may be a variant of an application's enum.
impl<T: sealed::User + ?Sized> sealed::User for &T {
    #[inline]
    fn user(&self, scope: Scope<'_>) -> Option<u32> {
        (**self).user(scope)
    }

    #[inline]
    fn found_usual<'a>(&self, scope: Scope<'a>) -> Option<FoundUsual<'a>> {
        (**self).found_usual(scope)
    }

    #[inline]
    fn with_found_wide<'a, R>(&self, scope: Scope<'a>, call: impl FnOnce(Found<'a>) -> R) -> Option<R> {
        (**self).with_found_wide(scope, call)
    }

    #[inline]
    fn hash(&self, scope: Scope<'_>) -> Option<u64> {
        (**self).hash(scope)
    }

    #[inline]
    fn likely(&self, scope: Scope<'_>, hash: u64) -> Option<u32> {
        (**self).likely(scope, hash)
    }

    #[inline]
    fn is(&self, record: &UserRecord) -> bool {
        (**self).is(record)
    }

    fn user_text(&self) -> Asked {
        (**self).user_text()
    }
}

impl<T: AsUser + ?Sized> AsUser for &T {}
