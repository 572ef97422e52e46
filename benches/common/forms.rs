//! Each question in the words of each contestant.

use rolecall::PermissionHandle;
use uuid::Uuid;

use super::Bed;
use super::by_hand::{Flat, Limits};
use super::organisation::{key, now, slug};
use super::pace::Contestant;
use super::questions::Question;
use super::variant::Variant;

/// What a question names the user and the permission by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Both by handle.
    Handle,
    /// The user by UUID, the permission by handle.
    Uuid,
    /// The user by key, the permission by slug.
    KeySlug,
    /// The user by UUID, the permission by a variant of an enum.
    Enum,
}

impl Form {
    pub(crate) const ALL: [Self; 4] = [Self::Handle, Self::Uuid, Self::KeySlug, Self::Enum];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Uuid => "uuid",
            Self::KeySlug => "key_slug",
            Self::Enum => "enum",
        }
    }
}

/// Both keys and slugs of a list in one text, in the order in which they are asked: the words of a request have just been
/// read and are in the cache, unlike those that the crate keeps.
pub(crate) struct Words {
    text: String,
    /// Where key and slug of each question begin, and where they end.
    places: Vec<[usize; 3]>,
}

impl Words {
    pub(crate) fn new(questions: &[Question]) -> Self {
        let (mut text, mut places) = (String::new(), Vec::new());
        for question in questions {
            let start = text.len();
            text.push_str(&key(question.user as usize));
            let middle = text.len();
            text.push_str(&slug(question.permission));
            places.push([start, middle, text.len()]);
        }
        Self { text, places }
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let word = |from, to| self.text.get(from..to).unwrap();
        self.places.iter().map(move |[start, middle, end]| (word(*start, *middle), word(*middle, *end)))
    }
}

/// What the contestants by hand need beside the bed. The flat one is left out where it does not fit in memory.
pub(crate) struct Rivals {
    pub(crate) flat: Option<Flat>,
    pub(crate) limits: Limits,
    slugs: Vec<String>,
}

impl Rivals {
    pub(crate) fn new<const N: usize>(bed: &Bed<N>, with_flat: bool) -> Self {
        let flat = with_flat.then(|| Flat::new(&bed.organisation, &bed.oracle));
        let slugs = (0..bed.size.permissions).map(slug).collect();
        Self { flat, limits: Limits::new(&bed.oracle), slugs }
    }
}

impl<const N: usize> Bed<N> {
    /// Compares the answers before anything is timed: all of them, at L every 64th.
    fn compare(&self, contestants: &[Contestant<'_>], questions: &[Question]) {
        let every = if self.size.name == "L" { 64 } else { 1 };
        for contestant in contestants {
            contestant.verify(questions, every);
        }
    }

    fn uuid(&self, question: &Question) -> Uuid {
        self.organisation.users[question.user as usize].id
    }

    fn handles(&self) -> Vec<PermissionHandle> {
        let held = self.held();
        (0..self.size.permissions).map(|p| held.permission_handle(slug(p)).unwrap()).collect()
    }

    /// The crate, asked on a held snapshot (`rolecall`) and through the tenant (`rolecall_tenant`).
    pub(crate) fn ours<'a>(&'a self, form: Form, questions: &[Question], words: &'a Words) -> Vec<Contestant<'a>> {
        let (held, tenant) = (self.held(), &self.tenant);
        let handles = self.handles();
        let permission = |q: &Question| handles[q.permission as usize];
        let ours = match form {
            Form::Handle => {
                let user = |q: &Question| held.user_handle(self.uuid(q)).unwrap();
                let list: Vec<_> = questions.iter().map(|q| (user(q), permission(q))).collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(user, permission)| held.check(*user, *permission)),
                    Contestant::new("rolecall_tenant", list, move |(user, permission)| {
                        tenant.check(*user, *permission)
                    }),
                ]
            }
            Form::Uuid => {
                let list: Vec<_> = questions.iter().map(|q| (self.uuid(q), permission(q))).collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(user, permission)| held.check(*user, *permission)),
                    Contestant::new("rolecall_tenant", list, move |(user, permission)| {
                        tenant.check(*user, *permission)
                    }),
                ]
            }
            Form::KeySlug => {
                let list: Vec<_> = words.iter().collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(key, slug)| held.check(*key, *slug)),
                    Contestant::new("rolecall_tenant", list, move |(key, slug)| tenant.check(*key, *slug)),
                ]
            }
            Form::Enum => {
                let (held, tenant) = (self.enumerated.snapshot().at(now()), &self.enumerated);
                let list: Vec<_> = questions.iter().map(|q| (self.uuid(q), Variant::<N>(q.permission))).collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(user, variant)| held.check(*user, *variant)),
                    Contestant::new("rolecall_tenant", list, move |(user, variant)| tenant.check(*user, *variant)),
                ]
            }
        };
        self.compare(&ours, questions);
        ours.into()
    }

    /// The contestants by hand and the limits, which all find a user by UUID or by number.
    pub(crate) fn rivals<'a>(&'a self, form: Form, questions: &[Question], rivals: &'a Rivals) -> Vec<Contestant<'a>> {
        let Rivals { flat, limits, slugs } = rivals;
        let mut all = Vec::new();
        if form == Form::Uuid {
            let list = questions.iter().map(|q| (self.uuid(q), q.permission)).collect();
            all.push(Contestant::new("by_hand_fast", list, |(user, permission)| self.fast.check(user, *permission)));
            if let Some(flat) = flat {
                let slug = |q: &Question| slugs[q.permission as usize].as_str();
                let list = questions.iter().map(|q| (self.uuid(q), slug(q))).collect();
                all.push(Contestant::new("by_hand_flat", list, |(user, slug)| flat.check(user, slug)));
            }
            self.compare(&all, questions);
        }
        if matches!(form, Form::Uuid | Form::Handle) {
            let list: Vec<_> = questions.iter().map(|q| (q.user, q.permission)).collect();
            all.push(Contestant::new("limit_one", list.clone(), |(user, permission)| limits.one(*user, *permission)));
            let two = Contestant::new("limit_two", list, |(user, permission)| limits.two(*user, *permission));
            if self.size.permissions <= 1_024 {
                self.compare(std::slice::from_ref(&two), questions);
            }
            all.push(two);
        }
        all
    }
}
